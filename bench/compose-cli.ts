import path from 'node:path';
import { execa } from 'execa';
import { cacheFolder, ensureCached } from '../engine/cache.js';
import { underLock } from '../engine/lock.js';
import { goBuild } from '../engine/go-build.js';
import { findOnPath } from '../engine/machine.js';
import type { Progress } from '../engine/progress.js';

const composeVersion = '2.40.0';

export interface ComposeCli {
  command: string;
  /** That come before compose's own. */
  args: readonly string[];
  version: string;
  source: 'installed' | 'built from its Go module';
}

/** `docker compose`: the one that is installed, else built once from the Go module that go.sum pins. */
export async function findCompose(progress: Progress): Promise<ComposeCli> {
  const candidates: [string, ...string[]][] = [['docker', 'compose'], ['docker-compose']];
  for (const [command, ...args] of candidates) {
    const version = findOnPath(command) === undefined ? undefined : await versionOf(command, args);
    // The first compose, in Python, is another program.
    if (version !== undefined && !version.startsWith('1.')) {
      return { command, args, version, source: 'installed' };
    }
  }
  const cache = cacheFolder();
  const folder = path.join(cache, `docker-compose-${composeVersion}`);
  const step = progress.step(`docker compose ${composeVersion}`);
  const onWait = (): void => {
    step.update(`another set-up works in ${cache}`);
  };
  try {
    const isNew = await underLock({ folder: cache, name: 'set-up', onWait }, () =>
      ensureCached({
        folder,
        isGood: async (part) => (await versionOf(commandIn(part), [])) === composeVersion,
        build: (part) =>
          goBuild({
            module: 'compose',
            command: 'github.com/docker/compose/v2/cmd',
            output: commandIn(part),
            ldflags: `-X github.com/docker/compose/v2/internal.Version=${composeVersion}`,
            update: (detail) => {
              step.update(detail);
            },
          }),
      }),
    );
    step.done(isNew ? 'built' : 'was built before');
  } catch (error) {
    step.fail('failed');
    throw error;
  }
  return {
    command: commandIn(folder),
    args: [],
    version: composeVersion,
    source: 'built from its Go module',
  };
}

const commandIn = (folder: string): string => path.join(folder, 'docker-compose');

async function versionOf(command: string, args: readonly string[]): Promise<string | undefined> {
  const { exitCode, stdout } = await execa(command, [...args, 'version', '--short'], { reject: false });
  return exitCode === 0 ? stdout.trim().replace(/^v/, '') : undefined;
}
