import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lock } from 'proper-lockfile';

export type Release = () => Promise<void>;

/** After its last sign of life a holder counts as killed. */
const expiresMs = 20_000;
const retryMs = 250;

/**
 * Takes a lock unless somebody has it. The library keeps it fresh, and removes it when this process ends.
 *
 * A lock is a folder `<name>.<number>.lock`. The one of a killed holder grows old and is never taken over, since two
 * could do that at once and one remove the other's: who comes after it takes the next number, which only one gets.
 * @param name of the lock, in the folder, which is there.
 * @returns undefined when somebody else has it.
 */
export async function tryLock(folder: string, name: string): Promise<Release | undefined> {
  const fileOf = (number: number): string => path.join(folder, `${name}.${String(number)}`);
  const { last, older } = await numbersOf(folder, name);
  const made = await stat(`${fileOf(last)}.lock`).catch(() => undefined);
  if (made !== undefined && made.mtimeMs > Date.now() - expiresMs) return undefined;
  // Whoever was held up for so long that others took him for killed goes on: that is better than to end in mid-work.
  const onCompromised = (): void => undefined;
  const options = { realpath: false, stale: Infinity, update: expiresMs / 4, onCompromised };
  const release = await lock(fileOf(last + 1), options).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ELOCKED') return undefined;
    throw error;
  });
  if (release === undefined) return undefined;
  // Between the look and the lock others may have gone on: then this number is one of the past.
  if ((await numbersOf(folder, name)).last > last + 1) {
    await release();
    return undefined;
  }
  for (const number of older) await rm(`${fileOf(number)}.lock`, { recursive: true, force: true });
  return release;
}

async function numbersOf(folder: string, name: string): Promise<{ last: number; older: number[] }> {
  const numbers = (await readdir(folder))
    .filter((entry) => entry.startsWith(`${name}.`))
    .flatMap((entry) => /^(\d+)\.lock$/.exec(entry.slice(name.length + 1))?.[1] ?? [])
    .map(Number)
    .sort((one, other) => one - other);
  return { last: numbers.pop() ?? 0, older: numbers };
}

interface Lock {
  /** Made when it is missing. */
  folder: string;
  /** Of the lock, in the folder. */
  name: string;
  /** Told once when somebody else has it. */
  onWait?: () => void;
}

/** Runs `work` while no other process does the same under this lock. The lock of a killed holder expires after 20 s. */
export async function underLock<T>({ folder, name, onWait }: Lock, work: () => Promise<T>): Promise<T> {
  await mkdir(folder, { recursive: true });
  let release = await tryLock(folder, name);
  if (release === undefined) onWait?.();
  while (release === undefined) {
    await sleep(retryMs);
    release = await tryLock(folder, name);
  }
  try {
    return await work();
  } finally {
    await release();
  }
}
