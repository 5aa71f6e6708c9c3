import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { endpointsSchema, type Endpoints } from '../../../components/outputs.js';

export interface Environment {
  endpoints: Endpoints;
  /** How many users a test has at work at the same time. */
  userCount: number;
  /** Folder that takes `tests.json` and `latencies.jsonl`. */
  resultsFolder: string;
}

const usersSchema = z.coerce.number().int().min(1).max(1000);

const howToRun =
  'A critical suite runs against an environment that is up. To run one by hand: ' +
  'npm run rehearsal -- test --stack dev --suite NAME (docs/suites.md).';

function readEndpoints(path: string | undefined, problems: string[]): Endpoints | undefined {
  if (path === undefined || path === '') {
    problems.push('REHEARSAL_ENVIRONMENT is not set; allowed is the path of a JSON file with the endpoints');
    return undefined;
  }
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    // A JSON error quotes the text around it, and this text holds passwords.
    const reason = error instanceof SyntaxError ? 'it is not JSON' : String(error);
    problems.push(`REHEARSAL_ENVIRONMENT=${path} can't be read: ${reason}`);
    return undefined;
  }
  const parsed = endpointsSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    problems.push(`REHEARSAL_ENVIRONMENT=${path}: ${issue.path.join('.') || 'the file'}: ${issue.message}`);
  }
  return undefined;
}

/**
 * Reads what the runner tells a suite.
 * @throws Error that names every problem at once and says how a suite is run.
 */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const problems: string[] = [];
  const endpoints = readEndpoints(env['REHEARSAL_ENVIRONMENT'], problems);
  const resultsFolder = env['REHEARSAL_RESULTS'] ?? '';
  if (resultsFolder === '') problems.push('REHEARSAL_RESULTS is not set; allowed is the path of a folder');
  const users = env['REHEARSAL_USERS'] ?? '10';
  const userCount = usersSchema.safeParse(users);
  if (!userCount.success) {
    problems.push(`REHEARSAL_USERS=${users}: allowed is a whole number from 1 to 1000`);
  }
  if (endpoints === undefined || !userCount.success || problems.length > 0) {
    throw new Error([...problems, howToRun].join('\n'));
  }
  return { endpoints, userCount: userCount.data, resultsFolder };
}

export const environment = readEnvironment(process.env);
