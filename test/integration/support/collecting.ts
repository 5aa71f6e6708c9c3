import { readdir, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cacheFolder } from '../../../engine/cache.js';
import { underLock } from '../../../engine/lock.js';
import { temporaryFolder } from '../../helpers/temporary.js';

/** A cache folder, for `REHEARSAL_CACHE`, and its folder of leases. */
interface OwnLeases {
  cache: string;
  leases: string;
}

/** The set-up's, but that no run beside this test finds the leases there: each finishes what dead ones left. */
export async function cacheWithOwnLeases(): Promise<OwnLeases> {
  const cache = temporaryFolder('cache');
  for (const name of await readdir(cacheFolder())) {
    if (name !== 'leases' && !name.endsWith('.lock')) {
      await symlink(path.join(cacheFolder(), name), path.join(cache, name));
    }
  }
  return { cache, leases: path.join(cache, 'leases') };
}

/**
 * For whatever runs `gc`, and whatever leaves things with labels for it: the Docker Engine is one for all, and any
 * `gc` collects what any test has left there.
 */
export const whileNobodyElseCollects = <T>(work: () => Promise<T>): Promise<T> =>
  underLock({ folder: tmpdir(), name: 'rehearsal-test-gc' }, work);
