import { build } from 'esbuild';
import { execa } from 'execa';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ensureCached } from './cache.js';
import { isReachable } from './downloads.js';
import { type Found, type Update } from './pieces.js';

const pluginSite = 'https://get.pulumi.com/';
const executable = 'pulumi-resource-docker';
const entryPoint = path.join(path.dirname(fileURLToPath(import.meta.url)), 'provider', 'main.ts');

interface PrivateHome extends Found {
  /** Value of PULUMI_HOME. */
  folder: string;
}

/** Version of the provider that `@pulumi/docker` asks for. */
export async function dockerProviderVersion(): Promise<string> {
  const file = createRequire(import.meta.url).resolve('@pulumi/docker/package.json');
  return z.object({ version: z.string() }).parse(JSON.parse(await readFile(file, 'utf8'))).version;
}

/** Folder of the official plugin in the user's own Pulumi home, if it is installed there. */
export async function installedPlugin(env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const home = env.PULUMI_HOME ? env.PULUMI_HOME : path.join(homedir(), '.pulumi');
  const folder = path.join(home, 'plugins', pluginFolderName(await dockerProviderVersion()));
  return existsSync(path.join(folder, executable)) ? folder : undefined;
}

const pluginFolderName = (version: string): string => `resource-docker-v${version}`;

/**
 * A PULUMI_HOME of this project with a Docker provider in it: the user's own official one, else a download,
 * else the embedded one. The embedded one never enters the user's home, where it would shadow the official.
 */
export async function ensurePrivateHome(cache: string, pulumi: string, update: Update): Promise<PrivateHome> {
  const version = await dockerProviderVersion();
  const plugin = (home: string): string => path.join(home, 'plugins', pluginFolderName(version));
  const hasPlugin = (home: string): Promise<boolean> =>
    Promise.resolve(existsSync(path.join(plugin(home), executable)));

  const installed = await installedPlugin();
  if (installed !== undefined) {
    const folder = path.join(cache, `pulumi-home-own-${shortHash(installed)}`);
    await ensureCached({
      folder,
      isGood: hasPlugin,
      build: async (home) => {
        await mkdir(path.dirname(plugin(home)), { recursive: true });
        await symlink(installed, plugin(home));
      },
    });
    return { way: 'installed', version, folder };
  }

  const official = path.join(cache, `pulumi-home-official-${version}`);
  let reason = `${pluginSite} can't be reached`;
  if ((await hasPlugin(official)) || (await isReachable(pluginSite))) {
    try {
      await ensureCached({
        folder: official,
        isGood: hasPlugin,
        build: async (home) => {
          update('downloading the official plugin');
          await execa(
            pulumi,
            ['plugin', 'install', 'resource', 'docker', `v${version}`, '--non-interactive'],
            {
              env: { PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: 'true' },
            },
          );
        },
      });
      return { way: 'official', version, folder: official };
    } catch (error) {
      reason = `the official plugin could not be installed: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  update('bundling the embedded provider');
  const bundle = await bundleProvider();
  const folder = path.join(cache, `pulumi-home-embedded-${shortHash(bundle)}`);
  await ensureCached({
    folder,
    isGood: async (home) => {
      const file = path.join(plugin(home), 'provider.cjs');
      return (await hasPlugin(home)) && existsSync(file) && (await readFile(file, 'utf8')) === bundle;
    },
    build: async (home) => {
      await mkdir(plugin(home), { recursive: true });
      await writeFile(path.join(plugin(home), 'provider.cjs'), bundle);
      // NODE_OPTIONS brings the TypeScript loader to the program; the bundle has no use for it.
      const script = '#!/bin/sh\nunset NODE_OPTIONS\nexec node "$(dirname "$0")/provider.cjs" "$@"\n';
      await writeFile(path.join(plugin(home), executable), script);
      await chmod(path.join(plugin(home), executable), 0o755);
    },
  });
  return { way: 'fallback', version, folder, detail: reason };
}

/** The embedded provider as one file of JavaScript. */
async function bundleProvider(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entryPoint],
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    write: false,
    // Optional native parts of ssh2, which does without them.
    external: ['*.node', 'cpu-features'],
    logLevel: 'silent',
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`esbuild made nothing of ${entryPoint}`);
  return file.text;
}

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);
