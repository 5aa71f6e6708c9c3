import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import path from 'node:path';
import { targetOf } from '../components/hosts/access.js';
import { terminalProgress } from '../engine/progress.js';
import { readArguments } from '../engine/pulumi-arguments.js';
import { setUp, withoutDownloads, type EngineEnvironment } from '../engine/setup.js';
import { projectFolder } from '../engine/stack-files.js';
import { checkout, workFolder } from '../engine/state.js';
import { hostOfFile } from './hosts/target.js';
import { settingsFile } from './settings.js';

/** `npm run pulumi -- …`: the Pulumi CLI with this project's own home, state, passphrase and loader. */
async function main(): Promise<number> {
  const { args, stack, creates, images } = readArguments(process.argv.slice(2));
  const progress = terminalProgress();
  const folder =
    stack === undefined
      ? checkout
      : await projectFolder(checkout, path.join(workFolder, 'stacks'), stack, (line) => {
          progress.note(line);
        });
  // A destroy runs no program that would connect to the host.
  const host = stack === undefined ? undefined : await hostOfFile(path.join(folder, settingsFile(stack)));
  const target = host?.kind === 'ssh' ? targetOf(host) : undefined;
  // What a destroy needs besides, Pulumi finds in the state.
  const aws = images && host?.kind === 'aws';
  const engine = await setUp({ progress, images, browser: false, target, aws });
  if (creates && stack !== undefined) {
    const code = await run(
      engine,
      ['stack', 'select', stack, '--create', '--non-interactive'],
      folder,
      'ignore',
    );
    if (code !== 0) return code;
  }
  const env = images ? { ...engine.env, ...withoutDownloads } : engine.env;
  return run({ ...engine, env }, args, folder, 'inherit');
}

/** @returns the exit code; 128 + n after signal n, as shells have it. */
async function run(
  engine: EngineEnvironment,
  args: string[],
  cwd: string,
  output: 'inherit' | 'ignore',
): Promise<number> {
  // On a terminal Ctrl-C reaches the CLI by itself; elsewhere it gets a group of its own, so that it is
  // interrupted once, however many of its ancestors hand the signal on: a second one would cut its end short.
  const onTerminal = process.stdin.isTTY;
  const child = spawn(engine.pulumi, args, {
    cwd,
    env: { ...process.env, ...engine.env },
    stdio: ['inherit', output, 'inherit'],
    detached: !onTerminal,
  });
  let interrupted = false;
  const interrupt = (): void => {
    if (!onTerminal && !interrupted) child.kill('SIGINT');
    interrupted = true;
  };
  const terminate = (): void => {
    child.kill('SIGTERM');
  };
  process.on('SIGINT', interrupt).on('SIGTERM', terminate);
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + constants.signals[signal ?? 'SIGTERM'];
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', terminate);
  }
}

process.exitCode = await main();
