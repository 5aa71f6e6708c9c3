import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

/** A bundled module still finds what lies beside its source. */
const keepOwnUrl: Plugin = {
  name: 'keep-own-url',
  setup(bundler) {
    bundler.onLoad({ filter: /[^d]\.ts$/ }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      const url = JSON.stringify(pathToFileURL(file).href);
      return { contents: source.replaceAll('import.meta.url', url), loader: 'ts' };
    });
  },
};

/**
 * The Pulumi program as one JavaScript file: a run loads it once per suite, which takes half as long as loading
 * its sources through tsx.
 * @param folder inside the checkout, so that packages are found from there.
 * @returns the file's path.
 */
export async function compileProgram(checkout: string, folder: string): Promise<string> {
  const outfile = path.join(folder, 'program.mjs');
  await build({
    entryPoints: [path.join(checkout, 'index.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'silent',
    plugins: [keepOwnUrl],
  });
  return outfile;
}
