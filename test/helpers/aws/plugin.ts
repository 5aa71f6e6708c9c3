import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { bundleStarter, pluginScript } from '../../../engine/bundle.js';

/**
 * The tests' AWS provider as a plugin.
 * @returns a folder that leads to it from PATH, where Pulumi looks before it looks for an official one, and its end.
 */
export async function installAwsPlugin(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-aws-'));
  await build({
    entryPoints: [path.join(import.meta.dirname, 'main.ts')],
    outfile: path.join(folder, 'provider.cjs'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logLevel: 'silent',
  });
  await copyFile(bundleStarter, path.join(folder, path.basename(bundleStarter)));
  const script = pluginScript('provider.cjs', 'unset NODE_OPTIONS');
  await writeFile(path.join(folder, 'pulumi-resource-aws'), script, { mode: 0o755 });
  return { folder, remove: () => rm(folder, { recursive: true }) };
}
