import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { npmStart } from '../../engine/npm-start.js';
import { checkout } from '../../engine/state.js';

export interface CliOptions {
  args: string[];
  /** Text of the stack's settings file; by default none is written and none is named. */
  settings?: string;
  env?: Record<string, string>;
  /** Whether the state is the test's own and goes with it. Default true. */
  ownState?: boolean;
  /** A command that takes this one as its last arguments and runs it. */
  within?: readonly string[];
  /** Sees stderr as it comes, and may end the program. */
  onOutput?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
}

export interface CliResult {
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
  /** Files in its own state, which was empty before, of stacks or of what they were. */
  stateFiles: string[];
}

/** `npm start` as people type it, but for npm itself, by default with a state of its own. */
export async function runCli({
  args,
  settings,
  env = {},
  ownState = true,
  within = [],
  onOutput,
}: CliOptions): Promise<CliResult> {
  const state = await mkdtemp(path.join(tmpdir(), 'rehearsal-state-'));
  const stack = path.basename(state);
  const settingsFile = path.join(checkout, `Pulumi.${stack}.yaml`);
  if (settings !== undefined) await writeFile(settingsFile, settings);
  try {
    const chosenStack = settings === undefined ? [] : ['--stack', stack];
    const cli = [...npmStart(), ...chosenStack, ...args];
    const [command = '', ...rest] = [...within, ...cli];
    const subprocess = execa(command, rest, {
      cwd: checkout,
      env: { ...(ownState ? { PULUMI_BACKEND_URL: pathToFileURL(state).href } : {}), ...env },
      stdin: 'ignore',
      reject: false,
    });
    subprocess.stderr.on('data', (chunk: Buffer) => {
      onOutput?.(chunk.toString('utf8'), (signal) => subprocess.kill(signal));
    });
    const { exitCode, stdout, stderr } = await subprocess;
    return { exitCode, stdout, stderr, stateFiles: await stateFilesIn(state) };
  } finally {
    await rm(settingsFile, { force: true });
    // What a killed program has started may still write into it.
    await rm(state, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

async function stateFilesIn(state: string): Promise<string[]> {
  const entries = await readdir(state, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  return files.filter((name) => !name.startsWith('meta.yaml'));
}

/** A script of package.json as people type it in the checkout. */
export const npmRun = (script: string, args: string[], env: Record<string, string> = {}) =>
  execa('npm', ['run', '--silent', script, '--', ...args], {
    cwd: checkout,
    env,
    stdin: 'ignore',
    reject: false,
  });

/** The folder that a run names at its end. */
export function artifactsOf({ stdout }: CliResult): string {
  const folder = /^Artifacts: (.+)$/m.exec(stdout)?.[1];
  if (folder === undefined) throw new Error(`no line "Artifacts: …" in:\n${stdout}`);
  return folder;
}
