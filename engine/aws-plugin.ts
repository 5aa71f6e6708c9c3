import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import * as z from 'zod';
import { reasonOf } from './errors.js';
import { findOnPath } from './machine.js';
import type { Found, Update } from './pieces.js';

/**
 * Pulumi's provider for AWS in this project's Pulumi home, where a stack asks for it: there is no stand-in for it. One
 * on PATH is taken as it is, as Pulumi itself does.
 * @throws Error when it can't be downloaded.
 */
export async function ensureAwsPlugin(home: string, pulumi: string, update: Update): Promise<Found> {
  const file = createRequire(import.meta.url).resolve('@pulumi/aws/package.json');
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(await readFile(file, 'utf8')));
  const folder = path.join(home, 'plugins', `resource-aws-v${version}`);
  if (
    findOnPath('pulumi-resource-aws') !== undefined ||
    existsSync(path.join(folder, 'pulumi-resource-aws'))
  ) {
    return { way: 'installed', version };
  }
  update('downloading the official plugin');
  try {
    await execa(pulumi, ['plugin', 'install', 'resource', 'aws', `v${version}`, '--non-interactive'], {
      env: { PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: 'true' },
    });
  } catch (cause) {
    throw new Error(
      `a stack on AWS needs Pulumi's provider for it, which could not be downloaded: ${reasonOf(cause)}`,
      {
        cause,
      },
    );
  }
  return { way: 'official', version };
}
