import { build, stop, type BuildOptions, type Plugin } from 'esbuild';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { replaceFile } from './replace-file.js';

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

/** Pulumi's SDK loads these at its start and needs them for little that is done here: 300 ms. */
const loadedLate = /^(@npmcli\/arborist|typescript)$/;

const loadLate: Plugin = {
  name: 'load-late',
  setup(bundler) {
    bundler.onResolve({ filter: loadedLate }, ({ path: name, namespace }) =>
      namespace === 'late' ? { path: name, external: true } : { path: name, namespace: 'late' },
    );
    bundler.onLoad({ filter: loadedLate, namespace: 'late' }, ({ path: name }) => ({
      // Compiled imports look at "__esModule" first, and would have it loaded by that.
      contents: `module.exports = new Proxy({}, { get: (_, key) => key === '__esModule' ? false : require('${name}')[key] });`,
    }));
  },
};

/** Runs a bundle, quicker from the second time on. */
export const bundleStarter = path.join(import.meta.dirname, 'start.cjs');

/**
 * Makes a bundle a plugin as Pulumi starts it: puts a script that runs it, and the starter, beside it. What is there
 * already and right isn't touched, since others may run it.
 * @param preparation of the shell's environment.
 */
export async function makePlugin(bundle: string, executable: string, preparation: string): Promise<void> {
  const folder = path.dirname(bundle);
  const starter = path.basename(bundleStarter);
  await writeWhole(path.join(folder, starter), await readFile(bundleStarter, 'utf8'), 0o644);
  const script = `#!/bin/sh
${preparation}
here=$(dirname "$0")
exec node "$here/${starter}" "$here/${path.basename(bundle)}" "$@"
`;
  await writeWhole(path.join(folder, executable), script, 0o755);
}

/** Never leaves half a file to somebody who runs it meanwhile. */
async function writeWhole(file: string, text: string, mode: number): Promise<void> {
  if ((await readFile(file, 'utf8').catch(() => '')) === text) return;
  await replaceFile(file, text, mode);
}

export type BundleOptions = Required<Pick<BuildOptions, 'outfile'>> &
  Pick<BuildOptions, 'entryPoints' | 'stdin' | 'mainFields'>;

let underWay = 0;

/** Makes one file of JavaScript of a program and its packages, which doesn't pass through this process's memory. */
export async function bundleForNode(options: BundleOptions): Promise<void> {
  underWay += 1;
  try {
    await bundle(options);
  } finally {
    underWay -= 1;
    // Esbuild's process would keep up to 200 MB until the end of this one. Nobody else here may build by it meanwhile.
    if (underWay === 0) await stop();
  }
}

async function bundle(options: BundleOptions): Promise<void> {
  await build({
    ...options,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    // Optional native parts of ssh2, which does without them.
    external: ['*.node', 'cpu-features'],
    logLevel: 'silent',
    plugins: [keepOwnUrl, loadLate],
  });
}
