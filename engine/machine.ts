import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { outputFile } from './output-file.js';

/** Absolute path of a command, as the shell would find it. */
export function findOnPath(command: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return (env.PATH ?? '')
    .split(path.delimiter)
    .filter((folder) => path.isAbsolute(folder))
    .map((folder) => path.join(folder, command))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export const isRoot = (): boolean => process.getuid?.() === 0;
export const isSystemdInit = (): boolean => existsSync('/run/systemd/system');
/** Whether this process may install Debian packages. */
export const canInstallPackages = (): boolean => isRoot() && findOnPath('apt-get') !== undefined;

// apt waits for other programs' locks by itself; within this process, installs take turns.
let lastInstall: Promise<unknown> = Promise.resolve();

/** Installs Debian packages. @throws Error with the end of apt's own output. */
export async function installPackages(packages: string[]): Promise<void> {
  const mine = lastInstall.then(() => aptInstall(packages));
  lastInstall = mine.catch(() => undefined);
  await mine;
}

async function aptInstall(packages: string[]): Promise<void> {
  const apt = (...args: string[]): Promise<unknown> =>
    execa('apt-get', ['-o', 'DPkg::Lock::Timeout=300', '-q', '-y', ...args], {
      env: { DEBIAN_FRONTEND: 'noninteractive' },
      stdin: 'ignore',
    });
  const install = (): Promise<unknown> => apt('install', '--no-install-recommends', ...packages);
  try {
    // The package lists are often there and good: reading them anew takes longer than the install.
    await install();
  } catch {
    // A source that can't be reached fails the update, though the others were read: the install tells.
    await apt('update').catch(() => undefined);
    await install();
  }
}

/**
 * Runs a script that makes a Debian root file system with mmdebstrap, which has to be there.
 * @param archive takes the script's output.
 * @throws Error with the end of the script's own messages.
 */
export async function makeDebian(script: string, archive: string): Promise<void> {
  const output = outputFile(archive, 'w');
  await execa('sh', [script], {
    stdin: 'ignore',
    stdout: output,
    // A process group of its own: in trouble, mmdebstrap sends SIGHUP to all of its group.
    detached: true,
  }).finally(() => output.destroy());
}
