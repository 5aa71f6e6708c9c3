import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundleForNode, makePlugin } from '../../../engine/bundle.js';

/**
 * The tests' AWS provider as a plugin.
 * @returns a folder that leads to it from PATH, where Pulumi looks before it looks for an official one, and its end.
 */
export async function installAwsPlugin(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-aws-'));
  const bundle = path.join(folder, 'provider.cjs');
  await bundleForNode({ entryPoints: [path.join(import.meta.dirname, 'main.ts')], outfile: bundle });
  await makePlugin(bundle, 'pulumi-resource-aws', 'unset NODE_OPTIONS');
  return { folder, remove: () => rm(folder, { recursive: true }) };
}
