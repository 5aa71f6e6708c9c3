import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';
import { configNamespace } from '../../../components/config.js';
import { labelKeys } from '../../../components/labels.js';
import { pulumiCommand } from '../../../runners/pulumi.js';
import type { StackLabels } from '../../../runners/stack-state.js';

/** What tells a secret in a state from any other object. */
const [secretKey, secretMark] = ['4dabf18193072939515e22adb298388d', '1b47061264138c4ac30d75fd1eb44270'];

/**
 * A stack as its state has it when everything else of it is gone: one resource with labels, and nothing that any
 * engine would have to delete.
 * @param env the whole environment of the Pulumi CLI.
 * @param project by default this one.
 */
export async function leaveState(
  pulumi: string,
  env: NodeJS.ProcessEnv,
  labels: StackLabels,
  project: string = configNamespace,
): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-left-'));
  const run = pulumiCommand(pulumi, env);
  const { stack } = labels;
  try {
    await writeFile(path.join(folder, 'Pulumi.yaml'), stringify({ name: project, runtime: 'nodejs' }));
    await run(['stack', 'init', stack], folder);
    const { version, deployment } = JSON.parse(await run(['stack', 'export'], folder)) as {
      version: number;
      deployment: object;
    };
    const type = 'rehearsal:index:Left';
    const resource = {
      urn: `urn:pulumi:${stack}::${project}::${type}::left`,
      ...{ custom: false, type },
      // A real one has passwords, so that nobody reads it without the passphrase.
      inputs: {
        password: { [secretKey]: secretMark, plaintext: '"hush"' },
        labels: Object.entries(labelled(labels)).map(([label, value]) => ({ label, value })),
      },
    };
    const file = path.join(folder, 'state.json');
    await writeFile(file, JSON.stringify({ version, deployment: { ...deployment, resources: [resource] } }));
    await run(['stack', 'import', '--stack', stack, '--file', file], folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Labels as the engine has them. */
export const labelled = ({ stack, run, suite, expiresAt }: StackLabels): Record<string, string> => ({
  [labelKeys.stack]: stack,
  [labelKeys.run]: run,
  [labelKeys.suite]: suite,
  [labelKeys.expiresAt]: expiresAt,
});
