import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';

/** Where this user's builds and downloads are kept, outside every checkout. `REHEARSAL_CACHE` moves it. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.REHEARSAL_CACHE) return path.resolve(env.REHEARSAL_CACHE);
  return path.join(xdgFolder(env.XDG_CACHE_HOME) ?? path.join(homedir(), '.cache'), 'rehearsal');
}

/** The specification has relative ones ignored. */
const xdgFolder = (folder = ''): string | undefined => (path.isAbsolute(folder) ? folder : undefined);

interface CachedFolder {
  folder: string;
  /** Whether the folder holds what it should. Also asked about a fresh build, before it is put in place. */
  isGood: (folder: string) => Promise<boolean>;
  /** Fills the empty folder that it is given. */
  build: (folder: string) => Promise<void>;
}

/**
 * Builds in a folder beside the place and renames, so that what stands in the cache is never half a build.
 * The caller holds the cache's lock.
 * @returns whether it had to be built.
 * @throws Error when a fresh build isn't good either, and whatever `build` throws.
 */
export async function ensureCached({ folder, isGood, build }: CachedFolder): Promise<boolean> {
  if (await isGood(folder)) return false;
  const parent = path.dirname(folder);
  await mkdir(parent, { recursive: true });
  const prefix = `${path.basename(folder)}.part-`;
  for (const name of await readdir(parent)) {
    if (name.startsWith(prefix)) await rm(path.join(parent, name), { recursive: true });
  }
  const part = await mkdtemp(path.join(parent, prefix));
  try {
    await build(part);
    if (!(await isGood(part)))
      throw new Error(`${folder}: what was just built there does not pass its own check`);
    await rm(folder, { recursive: true, force: true });
    await rename(part, folder);
  } finally {
    await rm(part, { recursive: true, force: true });
  }
  return true;
}

const hashedAtOnceBytes = 1024 * 1024;

/** All of it goes through one buffer: a stream leaves as much garbage as the file is long. */
export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(hashedAtOnceBytes);
  const handle = await open(file);
  try {
    for (;;) {
      const { bytesRead } = await handle.read(buffer);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}
