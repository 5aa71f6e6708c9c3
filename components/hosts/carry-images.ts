import type Docker from 'dockerode';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';

/**
 * Copies to another engine what only this one has: images that were built here. What came from a registry is left to
 * the other engine, which pulls it itself.
 * @returns the references of those that were copied.
 * @throws Error that names the images that can't run there.
 */
export async function carryImages(
  references: readonly string[],
  from: Docker,
  to: Docker,
): Promise<string[]> {
  const { Arch: architecture } = await to.version();
  const wanted: string[] = [];
  const foreign: string[] = [];
  for (const reference of new Set(references)) {
    const here = await inspectImage(from, reference);
    // With a digest it came from a registry.
    if (here === undefined || here.RepoDigests.length > 0) continue;
    if ((await inspectImage(to, reference))?.Id === here.Id) continue;
    if (here.Architecture !== architecture) foreign.push(`${reference} (${here.Architecture})`);
    wanted.push(reference);
  }
  if (foreign.length > 0) {
    throw new Error(
      `these images were built for another architecture than the host's, ${architecture}: ${foreign.join(', ')}; ` +
        'take a host of theirs (rehearsal:host.architecture), or images from a registry that has both',
    );
  }
  if (wanted.length > 0) await copy(wanted, from, to);
  return wanted;
}

/** Missing in the types. */
interface WithGetImages {
  getImages(options: { names: readonly string[] }): Promise<Readable>;
}

/** All in one archive, which has the layers that they share only once. Nothing is kept in between. */
async function copy(references: readonly string[], from: Docker, to: Docker): Promise<void> {
  const archive = await (from as Docker & WithGetImages).getImages({ names: references });
  const body = new PassThrough();
  const broken = new AbortController();
  // The way to the host is slower than the least compression.
  const sending = pipeline(archive, createGzip({ level: constants.Z_BEST_SPEED }), body).catch(
    (cause: unknown) => {
      broken.abort(new Error("this machine's Docker Engine broke off while it gave the images", { cause }));
    },
  );
  try {
    const answer = await to.loadImage(body, { abortSignal: broken.signal });
    await new Promise<void>((resolve, reject) => {
      let failure: string | undefined;
      to.modem.followProgress(
        answer,
        (error) => {
          if (error === null && failure === undefined) resolve();
          else reject(new Error(`the host could not load the images: ${failure ?? error?.message ?? ''}`));
        },
        (event: { error?: string }) => (failure ??= event.error),
      );
    });
  } catch (error) {
    throw broken.signal.aborted ? broken.signal.reason : error;
  } finally {
    body.destroy();
    await sending;
  }
}

async function inspectImage(docker: Docker, reference: string): Promise<Docker.ImageInspectInfo | undefined> {
  try {
    return await docker.getImage(reference).inspect();
  } catch (error) {
    if (error instanceof Error && 'statusCode' in error && error.statusCode === 404) return undefined;
    throw error;
  }
}
