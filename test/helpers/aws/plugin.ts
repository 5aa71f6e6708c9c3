import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';

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
  const script = '#!/bin/sh\nunset NODE_OPTIONS\nexec node "$(dirname "$0")/provider.cjs" "$@"\n';
  await writeFile(path.join(folder, 'pulumi-resource-aws'), script, { mode: 0o755 });
  return { folder, remove: () => rm(folder, { recursive: true }) };
}
