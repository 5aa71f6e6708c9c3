import { PulumiCommand } from '@pulumi/pulumi/automation/index.js';
import { execa } from 'execa';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SemVer } from 'semver';
import { ensureCached, sha256OfFile } from './cache.js';
import { isReachable } from './downloads.js';
import { goBuild } from './go-build.js';
import { findOnPath } from './machine.js';
import { type Found, type Update } from './pieces.js';

export const pulumiVersion = '3.259.0';
/** The last release of the Go module that carries the Node language host. */
export const languageHostVersion = '3.68.0';
const downloadSite = 'https://get.pulumi.com/';
const languageHost = 'pulumi-language-nodejs';

interface Tool extends Found {
  path: string;
}

/** The Pulumi CLI: the one on PATH, else the official download, else built from the Go modules. */
export async function ensurePulumi(cache: string, update: Update): Promise<Tool> {
  const installed = await installedPulumi();
  if (installed !== undefined) return installed;
  const built = builtPulumiFolder(cache);
  const builtTool: Tool = { way: 'fallback', version: pulumiVersion, path: path.join(built, 'pulumi') };
  if (await isBuiltPulumi(built)) return builtTool;
  let reason = `${downloadSite} can't be reached`;
  if (await isReachable(downloadSite)) {
    update('downloading the official release');
    try {
      const { command } = await PulumiCommand.install({
        root: path.join(cache, 'pulumi-official'),
        version: new SemVer(pulumiVersion),
      });
      return { way: 'official', version: pulumiVersion, path: command };
    } catch (error) {
      reason = `the official download failed: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  update(`${reason}; building it with Go`);
  await ensureCached({
    folder: built,
    isGood: isBuiltPulumi,
    build: (folder) =>
      goBuild({
        module: 'pulumi',
        command: 'github.com/pulumi/pulumi/pkg/v3/cmd/pulumi',
        output: path.join(folder, 'pulumi'),
        ldflags: `-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=${pulumiVersion}`,
        update,
      }),
  });
  return { ...builtTool, detail: reason };
}

export async function installedPulumi(): Promise<Tool | undefined> {
  const onPath = findOnPath('pulumi');
  if (onPath === undefined) return undefined;
  try {
    const { version } = await PulumiCommand.get();
    return { way: 'installed', version: version?.toString() ?? 'unknown', path: onPath };
  } catch {
    // Too old for the SDK, or broken: as good as absent.
    return undefined;
  }
}

export const builtPulumiFolder = (cache: string): string => path.join(cache, `pulumi-${pulumiVersion}`);

export async function isBuiltPulumi(folder: string): Promise<boolean> {
  try {
    const { stdout } = await execa(path.join(folder, 'pulumi'), ['version'], {
      env: { PULUMI_SKIP_UPDATE_CHECK: 'true' },
    });
    return stdout.trim().replace(/^v/, '') === pulumiVersion;
  } catch {
    return false;
  }
}

/** The Node language host: the one that came with the CLI, else built from its last Go module. */
export async function ensureLanguageHost(cache: string, pulumi: Tool, update: Update): Promise<Tool> {
  const shipped = shippedLanguageHost(pulumi);
  if (shipped !== undefined) return shipped;
  const folder = builtLanguageHostFolder(cache);
  await ensureCached({
    folder,
    isGood: isBuiltLanguageHost,
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

export function shippedLanguageHost(pulumi: Tool): Tool | undefined {
  const found = findOnPath(languageHost, {
    PATH: `${path.dirname(pulumi.path)}${path.delimiter}${process.env.PATH ?? ''}`,
  });
  return found === undefined ? undefined : { way: pulumi.way, version: pulumi.version, path: found };
}

export const builtLanguageHostFolder = (cache: string): string =>
  path.join(cache, `${languageHost}-${languageHostVersion}`);

export async function isBuiltLanguageHost(folder: string): Promise<boolean> {
  try {
    const expected = await readFile(path.join(folder, 'sha256'), 'utf8');
    return (await sha256OfFile(path.join(folder, languageHost))) === expected;
  } catch {
    return false;
  }
}
