import type Docker from 'dockerode';
import { execa } from 'execa';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { pack } from 'tar-stream';
import {
  appFolder,
  baseFolder,
  filesOf,
  imageRecipes,
  imageReference,
  localBaseReference,
  type ImageName,
  type LocalBase,
} from '../images/manifest.js';
import { canInstallPackages, findOnPath, installPackages, isRoot, makeDebian } from './machine.js';
import { reasonOf } from './errors.js';
import { type Found, type Update } from './pieces.js';
import { checkout } from './state.js';

const imageSourceLabel = 'rehearsal.image.source';
const withoutDebian =
  'Service images can be neither pulled nor built: let the Docker Engine reach its registry, or run this as root on a machine with apt';
const registryTimeoutMs = 5_000;
const proxyVariables = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];

/** Builds service images through the Engine's own API. What several images need is made once. */
export class ImageBuilder {
  private registry: Promise<boolean> | undefined;
  private bundles: Promise<unknown> | undefined;
  private readonly bases = new Map<LocalBase, Promise<string>>();

  constructor(private readonly docker: Docker) {}

  /** @throws Error that names the image, with the end of the build's output. */
  async ensure(name: ImageName, update: Update): Promise<Found> {
    const reference = imageReference(name);
    const version = reference.slice(reference.indexOf(':') + 1);
    const present = await presentImage(this.docker, name);
    if (present !== undefined) return present;
    const recipe = imageRecipes[name];
    if (recipe.bundle !== undefined) await (this.bundles ??= buildBundles());
    let reason = `the Docker Engine can't reach the registry of ${recipe.officialBase}`;
    if (await (this.registry ??= reachesRegistry(this.docker, recipe.officialBase))) {
      try {
        update(`pulling ${recipe.officialBase}`);
        await this.pull(recipe.officialBase, update);
        await this.build(name, 'official', recipe.officialBase, update);
        return { way: 'official', version };
      } catch (error) {
        reason = `the official image could not be used: ${reasonOf(error)}`;
      }
    }
    update('waiting for the Debian base');
    const base = await this.localBase(recipe.localBase, update);
    await this.build(name, 'fallback', base, update);
    return { way: 'fallback', version, detail: reason };
  }

  private async pull(image: string, update: Update): Promise<void> {
    if ((await labelsOf(this.docker, image)) !== undefined) return;
    await this.follow(await this.docker.pull(image), update);
  }

  private async build(
    name: ImageName,
    source: 'official' | 'fallback',
    base: string,
    update: Update,
  ): Promise<void> {
    const { folder, bundle } = imageRecipes[name];
    const files = filesOf(folder).map((file) => ({ name: file, source: path.join(folder, file) }));
    if (bundle !== undefined) files.push({ name: `dist/${path.basename(bundle)}`, source: bundle });
    const proxies = proxyVariables.flatMap((key) =>
      process.env[key] ? [[key, process.env[key]] as const] : [],
    );
    try {
      await this.buildFrom(
        files,
        {
          t: imageReference(name),
          dockerfile: source === 'official' ? 'Dockerfile' : 'Dockerfile.debian',
          buildargs: { BASE: base, ...Object.fromEntries(proxies) },
          labels: { [imageSourceLabel]: source },
        },
        update,
      );
    } catch (cause) {
      throw new Error(`Image ${name} could not be built: ${reasonOf(cause)}`, { cause });
    }
  }

  private localBase(base: LocalBase, update: Update): Promise<string> {
    const known = this.bases.get(base);
    if (known !== undefined) return known;
    const made = base === 'base' ? this.ensureDebian(update) : this.ensureNode(update);
    this.bases.set(base, made);
    return made;
  }

  private async ensureDebian(update: Update): Promise<string> {
    const reference = localBaseReference('base');
    if ((await labelsOf(this.docker, reference)) !== undefined) return reference;
    if (!isRoot()) throw new Error(withoutDebian);
    if (findOnPath('mmdebstrap') === undefined) {
      if (!canInstallPackages()) throw new Error(withoutDebian);
      update('installing mmdebstrap with apt');
      await installPackages(['mmdebstrap', 'debian-archive-keyring']);
    }
    const folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-base-'));
    try {
      const archive = path.join(folder, 'base.tar');
      update('making a Debian base with mmdebstrap');
      await makeDebian(path.join(baseFolder(), 'build.sh'), archive);
      update('importing the Debian base');
      const [repo, tag] = reference.split(':');
      const output: NodeJS.ReadableStream = await this.docker.importImage(createReadStream(archive), {
        repo,
        tag,
        changes: `LABEL ${imageSourceLabel}=fallback`,
      });
      await this.follow(output, update);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return reference;
  }

  private async ensureNode(update: Update): Promise<string> {
    const reference = localBaseReference('node');
    if ((await labelsOf(this.docker, reference)) !== undefined) return reference;
    const base = await this.localBase('base', update);
    update("adding the host's Node to the Debian base");
    const files = [
      { name: 'Dockerfile.node', source: path.join(baseFolder(), 'Dockerfile.node') },
      { name: 'node', source: process.execPath },
    ];
    const options = {
      t: reference,
      dockerfile: 'Dockerfile.node',
      buildargs: { BASE: base },
      labels: { [imageSourceLabel]: 'fallback' },
    };
    await this.buildFrom(files, options, update);
    return reference;
  }

  private async buildFrom(
    files: { name: string; source: string }[],
    options: Docker.ImageBuildOptions,
    update: Update,
  ): Promise<void> {
    const archive = pack();
    const filling = (async () => {
      for (const { name, source } of files) {
        const { mode } = await stat(source);
        archive.entry({ name, mode: mode & 0o777 }, await readFile(source));
      }
      archive.finalize();
    })();
    const [output] = await Promise.all([
      this.docker.buildImage(archive.pipe(new PassThrough()), { ...options, forcerm: true }),
      filling,
    ]);
    await this.follow(output, update);
  }

  private async follow(output: NodeJS.ReadableStream, update: Update): Promise<void> {
    const tail: string[] = [];
    await new Promise<void>((resolve, reject) => {
      let failure: string | undefined;
      this.docker.modem.followProgress(
        output,
        (error) => {
          if (error === null && failure === undefined) resolve();
          else reject(new Error([failure ?? error?.message, ...tail.slice(-20)].join('\n')));
        },
        (event: { stream?: string; status?: string; progress?: string; error?: string }) => {
          failure ??= event.error;
          const said = event.stream ?? [event.status, event.progress].filter(Boolean).join(' ');
          // The Engine colours what a build writes to stderr.
          const line = stripVTControlCharacters(said).trim();
          if (line === '') return;
          tail.push(line);
          update(line.split('\n').at(-1) ?? line);
        },
      );
    });
  }
}

/** The service image that this checkout asks for, if the Engine has it. */
export async function presentImage(docker: Docker, name: ImageName): Promise<Found | undefined> {
  const reference = imageReference(name);
  const labels = await labelsOf(docker, reference);
  if (labels === undefined) return undefined;
  const source = labels[imageSourceLabel];
  const way = source === 'official' || source === 'fallback' ? source : 'installed';
  return { way, version: reference.slice(reference.indexOf(':') + 1) };
}

/** Why missing images could be neither pulled nor built here. */
export async function imagesObstacle(docker: Docker): Promise<string | undefined> {
  const canBuild = isRoot() && (findOnPath('mmdebstrap') !== undefined || canInstallPackages());
  return canBuild || (await reachesRegistry(docker, imageRecipes.redis.officialBase))
    ? undefined
    : withoutDebian;
}

/** Asks the Engine, because it is the one that pulls. */
async function reachesRegistry(docker: Docker, image: string): Promise<boolean> {
  try {
    await docker.getImage(image).distribution({ abortSignal: AbortSignal.timeout(registryTimeoutMs) });
    return true;
  } catch {
    return false;
  }
}

async function labelsOf(docker: Docker, reference: string): Promise<Record<string, string> | undefined> {
  try {
    const { Config } = await docker.getImage(reference).inspect();
    // An image without labels has null there.
    return { ...Config.Labels };
  } catch (error) {
    if (error instanceof Error && 'statusCode' in error && error.statusCode === 404) return undefined;
    throw error;
  }
}

function buildBundles(): Promise<unknown> {
  return execa('npm', ['run', 'build', '-w', path.relative(checkout, appFolder())], {
    cwd: checkout,
    stdin: 'ignore',
  });
}
