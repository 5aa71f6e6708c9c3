import { mkdir, writeFile } from 'node:fs/promises';
import { commandArguments, files, hostAlias, runSsh, sshClient } from './client.js';
import type { SshTarget } from './target.js';

interface CommandResult {
  /** 255 is ssh's own: it did not get that far. */
  exitCode: number;
  stdout: string;
  stderr: string;
}

const connectSeconds = 5;
const deadlineMs = 60_000;

/**
 * Runs a shell command on a host whose Docker Engine needn't answer yet, by a connection for it alone.
 * @param folder the tunnel's.
 */
export async function runOnHost(folder: string, target: SshTarget, command: string): Promise<CommandResult> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(files(folder).knownHosts, `${hostAlias} ${target.hostKey}\n`, { mode: 0o600 });
  const args = commandArguments(folder, target, command, connectSeconds);
  const { exitCode = 255, ...output } = await runSsh(sshClient(), args, {
    signal: AbortSignal.timeout(deadlineMs),
  });
  return { exitCode, ...output };
}
