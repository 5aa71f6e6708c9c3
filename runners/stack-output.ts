import { outputsSchema, type Outputs } from '../components/outputs.js';
import { tailOf } from './exec.js';
import { StackError } from './pulumi.js';

const quotedLines = 40;

/**
 * What a stack's program returned.
 * @throws StackError when the stack isn't up, or isn't one of ours.
 */
export function parseOutputs(found: unknown, stackName: string): Outputs {
  if (Object.keys(found ?? {}).length === 0) {
    throw new StackError(`stack ${stackName} is not up: npm run pulumi -- up --stack ${stackName}`);
  }
  const parsed = outputsSchema.safeParse(found);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `  - ${issue.path.join('.')}: ${issue.message}`);
  throw new StackError(
    `the outputs of stack ${stackName} aren't those of an environment:\n${problems.join('\n')}`,
  );
}

/** Pulumi's own diagnostics, the end of its output where it has none. */
export function diagnosticsOf(logFile: string): string {
  const tail = tailOf(logFile, 200).split('\n');
  const start = tail.findIndex((line) => line.startsWith('Diagnostics:'));
  const end = tail.findIndex((line, index) => index > start && /^(Resources|Duration):/.test(line));
  const lines = start === -1 ? tail : tail.slice(start + 1, end === -1 ? undefined : end);
  return lines.slice(-quotedLines).join('\n').trim();
}
