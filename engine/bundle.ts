import { build, type BuildOptions, type Plugin } from 'esbuild';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

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

/** Runs a bundle, quicker from the second time on; it may be copied. */
export const bundleStarter = path.join(import.meta.dirname, 'start.cjs');

/**
 * A plugin as Pulumi starts it: a script that runs the bundle beside it, with the starter beside that.
 * @param preparation of the shell's environment.
 */
export const pluginScript = (bundle: string, preparation: string): string =>
  `#!/bin/sh\n${preparation}\nhere=$(dirname "$0")\nexec node "$here/${path.basename(bundleStarter)}" "$here/${bundle}" "$@"\n`;

/** Makes one file of JavaScript of a program and its packages, which doesn't pass through this process's memory. */
export async function bundleForNode(
  options: Required<Pick<BuildOptions, 'outfile'>> & Pick<BuildOptions, 'entryPoints' | 'stdin'>,
): Promise<void> {
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
