import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { readSettingsFile, type Settings } from '../../../runners/settings.js';

interface Workspace {
  /** The CLI, and its whole environment. */
  pulumi: string;
  env: NodeJS.ProcessEnv;
  folder: string;
}

/** Runs the real Pulumi CLI. @returns its stdout. */
export async function runPulumi(
  { pulumi, env, folder }: Workspace,
  args: readonly string[],
  input?: string,
): Promise<string> {
  const { stdout } = await execa(pulumi, [...args, '--non-interactive'], {
    cwd: folder,
    env,
    extendEnv: false,
    ...(input === undefined ? {} : { input }),
  });
  return stdout;
}

/**
 * The settings of a new stack `ci`, as its file has them.
 * @param secrets by their paths, `rehearsal:services.backend.environment.NAME`
 * @param init arguments of the CLI for its making.
 */
export async function secretSettings(
  workspace: Workspace,
  secrets: Readonly<Record<string, string>>,
  init: readonly string[] = [],
): Promise<Settings> {
  await writeFile(path.join(workspace.folder, 'Pulumi.yaml'), 'name: rehearsal\nruntime: nodejs\n');
  await runPulumi(workspace, ['stack', 'init', 'ci', '--no-select', ...init]);
  for (const [key, secret] of Object.entries(secrets)) {
    await runPulumi(workspace, ['config', 'set', '--secret', '--path', key, '--stack', 'ci'], secret);
  }
  return readSettingsFile(path.join(workspace.folder, 'Pulumi.ci.yaml'));
}
