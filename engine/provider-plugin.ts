import { execa } from 'execa';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { bundleForNode, makePlugin } from './bundle.js';
import { ensureCached, sha256OfFile } from './cache.js';
import { isReachable } from './downloads.js';
import { reasonOf } from './errors.js';
import { type Found, type Update } from './pieces.js';
import { pulumiSite } from './pulumi-cli.js';

const executable = 'pulumi-resource-docker';
const embeddedHome = 'pulumi-home-embedded-';
const entryPoint = path.join(path.dirname(fileURLToPath(import.meta.url)), 'provider', 'main.ts');

interface PrivateHome extends Found {
  /** Value of PULUMI_HOME. */
  folder: string;
}

/**
 * A PULUMI_HOME of this project with a Docker provider in it: the user's own official one, else a download,
 * else the embedded one. The embedded one never enters the user's home, where it would shadow the official.
 */
export async function ensurePrivateHome(cache: string, pulumi: string, update: Update): Promise<PrivateHome> {
  const version = await dockerProviderVersion();
  const installed = await installedPlugin(version);
  if (installed !== undefined) {
    const folder = path.join(cache, `pulumi-home-with-own-${shortHash(installed)}`);
    await ensureCached({
      folder,
      isGood: (home) => hasPlugin(home, version),
      build: async (home) => {
        // Links to the files: Pulumi takes a link in the folder's place for no plugin at all.
        const plugin = pluginFolder(home, version);
        await mkdir(plugin, { recursive: true });
        for (const name of await readdir(installed)) {
          await symlink(path.join(installed, name), path.join(plugin, name));
        }
      },
    });
    return { way: 'installed', version, folder };
  }

  const official = path.join(cache, `pulumi-home-official-${version}`);
  let detail = `${pulumiSite} can't be reached`;
  if ((await hasPlugin(official, version)) || (await isReachable(pulumiSite))) {
    try {
      await ensureCached({
        folder: official,
        isGood: (home) => hasPlugin(home, version),
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
      detail = `the official plugin could not be installed: ${reasonOf(error)}`;
    }
  }

  update('bundling the embedded provider');
  return { way: 'fallback', version, folder: await ensureEmbeddedHome(cache), detail };
}

/** A PULUMI_HOME with the embedded provider in it. @returns its folder. */
export async function ensureEmbeddedHome(cache: string): Promise<string> {
  const version = await dockerProviderVersion();
  await mkdir(cache, { recursive: true });
  const draft = await mkdtemp(path.join(cache, 'provider-'));
  try {
    const bundle = path.join(draft, 'provider.cjs');
    await bundleForNode({ entryPoints: [entryPoint], outfile: bundle });
    // NODE_OPTIONS brings the TypeScript loader to the program; the bundle has no use for it.
    await makePlugin(bundle, executable, 'unset NODE_OPTIONS');
    const files = (await readdir(draft)).sort();
    const digestsIn = (plugin: string): Promise<string[]> =>
      Promise.all(files.map((file) => sha256OfFile(path.join(plugin, file))));
    const digests = await digestsIn(draft);
    const folder = path.join(cache, `${embeddedHome}${shortHash(digests.join(' '))}`);
    await ensureCached({
      folder,
      isGood: async (home) => {
        const found = await digestsIn(pluginFolder(home, version)).catch(() => []);
        return found.join(' ') === digests.join(' ');
      },
      build: async (home) => {
        const plugin = pluginFolder(home, version);
        await mkdir(plugin, { recursive: true });
        for (const file of files) await copyFile(path.join(draft, file), path.join(plugin, file));
      },
    });
    return folder;
  } finally {
    await rm(draft, { recursive: true });
  }
}

/** Whether the Docker provider in a PULUMI_HOME is the embedded one. */
export const hasEmbeddedPlugin = (home: string | undefined): boolean =>
  home !== undefined && path.basename(home).startsWith(embeddedHome);

/** Version of the provider that `@pulumi/docker` asks for. */
async function dockerProviderVersion(): Promise<string> {
  const file = createRequire(import.meta.url).resolve('@pulumi/docker/package.json');
  return z.object({ version: z.string() }).parse(JSON.parse(await readFile(file, 'utf8'))).version;
}

/** The official plugin's folder in the user's own Pulumi home. */
async function installedPlugin(version: string): Promise<string | undefined> {
  const home = process.env.PULUMI_HOME ? process.env.PULUMI_HOME : path.join(homedir(), '.pulumi');
  return (await hasPlugin(home, version)) ? pluginFolder(home, version) : undefined;
}

const pluginFolder = (home: string, version: string): string =>
  path.join(home, 'plugins', `resource-docker-v${version}`);

async function hasPlugin(home: string, version: string): Promise<boolean> {
  const file = path.join(pluginFolder(home, version), executable);
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Where the next set-up takes the Docker provider from, without making anything. */
export async function presentPlugin(cache: string): Promise<Found> {
  const version = await dockerProviderVersion();
  if ((await installedPlugin(version)) !== undefined) return { way: 'installed', version };
  if (await hasPlugin(path.join(cache, `pulumi-home-official-${version}`), version))
    return { way: 'official', version };
  return { way: (await isReachable(pulumiSite)) ? 'official' : 'fallback', version };
}

const digestLength = 12;
const shortHash = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, digestLength);
