import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { execa } from 'execa';
import * as z from 'zod';
import { silentProgress } from '../helpers/progress.js';
import { ensurePrivateHome } from '../../engine/provider-plugin.js';
import { setUp } from '../../engine/setup.js';

let folder: string;
const before = process.env.PULUMI_HOME;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'plugin-'));
});

afterEach(async () => {
  if (before === undefined) delete process.env.PULUMI_HOME;
  else process.env.PULUMI_HOME = before;
  await rm(folder, { recursive: true });
});

test("the plugin in the user's own home is one for Pulumi in ours, too", async () => {
  const { pulumi } = await setUp({ progress: silentProgress, images: false });
  const plugin = path.join(folder, 'own', 'plugins', 'resource-docker-v5.2.0');
  await mkdir(plugin, { recursive: true });
  await writeFile(path.join(plugin, 'pulumi-resource-docker'), '#!/bin/sh\n', { mode: 0o755 });
  process.env.PULUMI_HOME = path.join(folder, 'own');
  const home = await ensurePrivateHome(path.join(folder, 'cache'), pulumi, () => undefined);
  expect(home.way).toBe('installed');
  const env = { PULUMI_HOME: home.folder, PULUMI_SKIP_UPDATE_CHECK: 'true' };
  const { stdout } = await execa(pulumi, ['plugin', 'ls', '--json'], { env });
  const listed = z.array(z.object({ name: z.string(), version: z.string() })).parse(JSON.parse(stdout));
  expect(listed).toMatchObject([{ name: 'docker', version: '5.2.0' }]);
});
