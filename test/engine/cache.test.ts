import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { cacheFolder, ensureCached } from '../../engine/cache.js';
import { temporaryFolder } from '../helpers/temporary.js';

let cache: string;
let folder: string;
let builds: number;

const isGood = async (part: string): Promise<boolean> =>
  existsSync(path.join(part, 'tool')) && (await readFile(path.join(part, 'tool'), 'utf8')) === 'whole';
const build = async (part: string): Promise<void> => {
  builds += 1;
  await writeFile(path.join(part, 'tool'), 'whole');
};

beforeEach(async () => {
  cache = temporaryFolder('cache');
  folder = path.join(cache, 'tool-1');
  builds = 0;
});

describe('the cache folder', () => {
  test('is REHEARSAL_CACHE, else in XDG_CACHE_HOME, else in the home', () => {
    expect(cacheFolder({ REHEARSAL_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
    expect(cacheFolder({ XDG_CACHE_HOME: '/b' })).toBe('/b/rehearsal');
    expect(cacheFolder({ XDG_CACHE_HOME: 'b' })).toMatch(/^\/.*\/\.cache\/rehearsal$/);
    expect(cacheFolder({})).toMatch(/\/\.cache\/rehearsal$/);
  });
});

describe('a cached piece', () => {
  test('is built once', async () => {
    expect(await ensureCached({ folder, isGood, build })).toBe(true);
    expect(await ensureCached({ folder, isGood, build })).toBe(false);
    expect(builds).toBe(1);
  });

  test('is built anew when it is damaged', async () => {
    await ensureCached({ folder, isGood, build });
    await writeFile(path.join(folder, 'tool'), 'who');
    expect(await ensureCached({ folder, isGood, build })).toBe(true);
    expect(await isGood(folder)).toBe(true);
  });

  test('leaves nothing behind when its build fails', async () => {
    const failing = async (part: string): Promise<void> => {
      await writeFile(path.join(part, 'tool'), 'who');
      throw new Error('compiler says no');
    };
    await expect(ensureCached({ folder, isGood, build: failing })).rejects.toThrow('compiler says no');
    expect(await readdir(cache)).toEqual([]);
  });

  test('is not put in place when the fresh build fails its own check', async () => {
    const wrong = (part: string): Promise<void> => writeFile(path.join(part, 'tool'), 'other');
    await expect(ensureCached({ folder, isGood, build: wrong })).rejects.toThrow(
      'does not pass its own check',
    );
    expect(await readdir(cache)).toEqual([]);
  });

  test('sweeps away what a killed build left', async () => {
    await mkdir(`${folder}.part-abc123`);
    await ensureCached({ folder, isGood, build });
    expect(await readdir(cache)).toEqual(['tool-1']);
  });
});
