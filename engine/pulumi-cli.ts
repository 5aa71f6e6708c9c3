import { PulumiCommand } from '@pulumi/pulumi/automation/cmd.js';
import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { SemVer } from 'semver';
import { bundleForNode, makePlugin } from './bundle.js';
import { ensureCached, sha256OfFile } from './cache.js';
import { isReachable } from './downloads.js';
import { goBuild, goObstacle } from './go-build.js';
import { findOnPath } from './machine.js';
import { reasonOf } from './errors.js';
import { type Found, type Update } from './pieces.js';

const pulumiVersion = '3.259.0';
/** The last release of the Go module that carries the Node language host. */
const languageHostVersion = '3.68.0';
export const pulumiSite = 'https://get.pulumi.com/';
const languageHost = 'pulumi-language-nodejs';
const dynamicProvider = 'pulumi-resource-pulumi-nodejs';

export interface Tool extends Found {
  path: string;
}

const officialRoot = (cache: string): string => path.join(cache, `pulumi-official-${pulumiVersion}`);
const builtPulumi = (cache: string): string => path.join(cache, `pulumi-${pulumiVersion}`);
const builtLanguageHost = (cache: string): string =>
  path.join(cache, `${languageHost}-${languageHostVersion}`);

/** The Pulumi CLI: the one on PATH, else the official download, else built from the Go modules. */
export async function ensurePulumi(cache: string, update: Update): Promise<Tool> {
  const present = await presentPulumi(cache);
  if (present !== undefined) return present;
  let detail = `${pulumiSite} can't be reached`;
  if (await isReachable(pulumiSite)) {
    update('downloading the official release');
    try {
      const version = new SemVer(pulumiVersion);
      const { command } = await PulumiCommand.install({ root: officialRoot(cache), version });
      return { way: 'official', version: pulumiVersion, path: command };
    } catch (error) {
      detail = `the official download failed: ${reasonOf(error)}`;
    }
  }
  update(`${detail}; building it with Go`);
  const folder = builtPulumi(cache);
  await ensureCached({
    folder,
    isGood: (part) => isPulumi(path.join(part, 'pulumi')),
    build: (part) =>
      goBuild({
        module: 'pulumi',
        command: 'github.com/pulumi/pulumi/pkg/v3/cmd/pulumi',
        output: path.join(part, 'pulumi'),
        ldflags: `-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=${pulumiVersion}`,
        update,
      }),
  });
  return { way: 'fallback', version: pulumiVersion, path: path.join(folder, 'pulumi'), detail };
}

/** A CLI that works: on PATH and new enough for the SDK, or in the cache. */
export async function presentPulumi(cache: string): Promise<Tool | undefined> {
  const onPath = findOnPath('pulumi');
  if (onPath !== undefined) {
    // One that is too old for the SDK, or broken, is as good as absent.
    const installed = await PulumiCommand.get().catch(() => undefined);
    if (installed !== undefined) {
      return { way: 'installed', version: installed.version?.toString() ?? 'unknown', path: onPath };
    }
  }
  const official = path.join(officialRoot(cache), 'bin', 'pulumi');
  if (await isPulumi(official)) return { way: 'official', version: pulumiVersion, path: official };
  const built = path.join(builtPulumi(cache), 'pulumi');
  if (await isPulumi(built)) return { way: 'fallback', version: pulumiVersion, path: built };
  return undefined;
}

/** Why neither the CLI nor its language host could be made here. */
export async function pulumiObstacle(): Promise<string | undefined> {
  return (await isReachable(pulumiSite)) ? undefined : goObstacle('pulumi');
}

async function isPulumi(file: string): Promise<boolean> {
  try {
    const { stdout } = await execa(file, ['version'], { env: { PULUMI_SKIP_UPDATE_CHECK: 'true' } });
    return stdout.trim().replace(/^v/, '') === pulumiVersion;
  } catch {
    return false;
  }
}

/** The Node language host: the one that came with the CLI, else built from its last Go module. */
export async function ensureLanguageHost(cache: string, pulumi: Tool, update: Update): Promise<Tool> {
  const tool = (await presentLanguageHost(cache, pulumi)) ?? (await buildLanguageHost(cache, update));
  if (pulumi.way === 'fallback') await completeBuiltCli(path.dirname(pulumi.path), tool.path);
  return tool;
}

async function buildLanguageHost(cache: string, update: Update): Promise<Tool> {
  const folder = builtLanguageHost(cache);
  await ensureCached({
    folder,
    isGood: isLanguageHost,
    build: async (part) => {
      const output = path.join(part, languageHost);
      await goBuild({
        module: 'language-host',
        command: `github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/${languageHost}`,
        output,
        ldflags: '',
        update,
      });
      // It has no command that only prints its version: the checksum tells whether it is whole.
      await writeFile(path.join(part, 'sha256'), await sha256OfFile(output));
    },
  });
  return { way: 'fallback', version: languageHostVersion, path: path.join(folder, languageHost) };
}

/** Puts beside the CLI what official releases have there; from elsewhere on PATH it is used with a warning. */
async function completeBuiltCli(folder: string, host: string): Promise<void> {
  const hostLink = path.join(folder, languageHost);
  if ((await readlink(hostLink).catch(() => undefined)) !== host) {
    await rm(hostLink, { force: true });
    await symlink(host, hostLink);
  }
  await writeDynamicProvider(folder);
}

/**
 * The provider of dynamic resources. The npm package's own script starts Node twice and has it load the SDK file by
 * file, half a second for each `up` and each `destroy`; in one file it takes a quarter of that.
 */
async function writeDynamicProvider(folder: string): Promise<void> {
  const require = createRequire(import.meta.url);
  const { version } = require('@pulumi/pulumi/package.json') as { version: string };
  const bundle = path.join(folder, `dynamic-provider-${version}.cjs`);
  if (!existsSync(bundle)) {
    const draft = `${bundle}.${String(process.pid)}`;
    await bundleForNode({
      entryPoints: [require.resolve('@pulumi/pulumi/cmd/dynamic-provider')],
      outfile: draft,
    });
    await rename(draft, bundle);
  }
  // Pulumi starts it in the project's folder: there are the packages that a resource's code may ask for.
  await makePlugin(bundle, dynamicProvider, 'export NODE_PATH="$PWD/node_modules"');
}

/** The language host of an official CLI, else the one in the cache if it is whole. */
export async function presentLanguageHost(
  cache: string,
  pulumi: Tool | undefined,
): Promise<Tool | undefined> {
  if (pulumi !== undefined && pulumi.way !== 'fallback') {
    const folders = [path.dirname(pulumi.path), process.env.PATH ?? ''];
    const shipped = findOnPath(languageHost, { PATH: folders.join(path.delimiter) });
    if (shipped !== undefined) return { way: pulumi.way, version: pulumi.version, path: shipped };
  }
  const folder = builtLanguageHost(cache);
  if (!(await isLanguageHost(folder))) return undefined;
  return { way: 'fallback', version: languageHostVersion, path: path.join(folder, languageHost) };
}

async function isLanguageHost(folder: string): Promise<boolean> {
  try {
    const expected = await readFile(path.join(folder, 'sha256'), 'utf8');
    return (await sha256OfFile(path.join(folder, languageHost))) === expected;
  } catch {
    return false;
  }
}
