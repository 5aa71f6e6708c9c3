import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { reserveSubnet } from '../components/subnet.js';
import type { Blueprint } from './blueprint.js';
import { composeFile } from './compose-file.js';
import type { Site } from './site.js';
import type { Way } from './way.js';

const quotedLines = 20;

/** @param intervalSeconds between two health checks; the profile's own by default. */
export function composeWay(site: Site, blueprint: Blueprint, intervalSeconds?: number): Way {
  return {
    kind: 'compose',
    name: intervalSeconds === undefined ? 'compose, own intervals' : `compose, ${String(intervalSeconds)} s`,
    async prepare({ name, labels, folder }) {
      const cli = await site.compose();
      const file = path.join(folder, 'compose.yaml');
      const subnet = await reserveSubnet(site.docker, name);
      const interval = intervalSeconds === undefined ? {} : { intervalSeconds };
      await writeFile(file, composeFile({ blueprint, labels, subnet, ...interval }), { mode: 0o600 });
      const compose = async (args: readonly string[], signal?: AbortSignal): Promise<void> => {
        const { failed, all } = await execa(
          cli.command,
          [...cli.args, '--project-name', name, '--file', file, '--progress', 'quiet', ...args],
          {
            cwd: folder,
            env: site.env,
            extendEnv: false,
            stdin: 'ignore',
            all: true,
            reject: false,
            ...(signal === undefined ? {} : { cancelSignal: signal }),
          },
        );
        signal?.throwIfAborted();
        if (failed) {
          const tail = all.trimEnd().split('\n').slice(-quotedLines).join('\n');
          throw new Error(`docker compose ${args[0] ?? ''} failed:\n${tail}`);
        }
      };
      return {
        async up(signal) {
          await compose(['up', '--detach', '--wait'], signal);
          return {};
        },
        async down() {
          await compose(['down', '--volumes']);
          await rm(file);
        },
      };
    },
  };
}
