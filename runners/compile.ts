import { readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { bundleForNode, type BundleOptions } from '../engine/bundle.js';
import { sha256OfFile } from '../engine/cache.js';

const keptMs = 24 * 60 * 60_000;
let drafts = 0;

/**
 * A module with all its packages as one JavaScript file in the checkout, from where the packages that stay outside
 * the file are found. It is called after what is in it, so that whoever began with one goes on with it.
 * @param contents TypeScript, its imports relative to this folder.
 * @returns the file's path.
 */
export async function compile(
  checkout: string,
  contents: string,
  options: Pick<BundleOptions, 'mainFields'> = {},
): Promise<string> {
  const folder = path.join(checkout, '.rehearsal', 'programs');
  const draft = path.join(folder, `draft-${String(process.pid)}-${String((drafts += 1))}.cjs`);
  let file: string;
  try {
    await bundleForNode({ ...options, stdin: { contents, resolveDir: import.meta.dirname }, outfile: draft });
    file = path.join(folder, `${(await sha256OfFile(draft)).slice(0, 12)}.cjs`);
    await rename(draft, file);
  } catch (error) {
    // On a full disk half of it would have taken what was left.
    await rm(draft, { force: true });
    throw error;
  }
  for (const name of await readdir(folder)) {
    const other = path.join(folder, name);
    const { mtimeMs } = await stat(other).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > keptMs) await rm(other, { force: true });
  }
  return file;
}
