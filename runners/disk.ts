import { randomBytes } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { appendFile, lstat, readdir, rm } from 'node:fs/promises';
import path from 'node:path';

const bytesPerMb = 1024 * 1024;
/** What a destroy, the evidence and the reports write, several times over. */
const reserveMb = 16;
/** Files and folders above this aren't kept when the disk is full. */
const largestKeptMb = 32;

/**
 * Runs an operation that may fill the disk while room on it is held for what has to be written afterwards.
 * @throws Error before the operation when there isn't that much room.
 */
export async function withReserve<T>(folder: string, operation: () => Promise<T>): Promise<T> {
  const file = path.join(folder, '.reserve');
  try {
    // Random, because some file systems store zeros without taking room for them.
    await takeRoom(file).catch((cause: unknown) => {
      throw new Error(`${folder} has no room for the ${String(reserveMb)} MiB that ending a suite may take`, {
        cause,
      });
    });
    return await operation();
  } finally {
    await rm(file, { force: true });
  }
}

/** One MiB after the other: all at once they would be in the runner's memory, too. */
async function takeRoom(file: string): Promise<void> {
  await rm(file, { force: true });
  for (let mb = 0; mb < reserveMb; mb += 1) await appendFile(file, randomBytes(bytesPerMb));
}

/** Whether nothing can be written any more where `folder` is. */
export function diskIsFull(folder: string): boolean {
  try {
    const { bavail, bfree, bsize } = statfsSync(folder);
    // Some file systems keep a share for root.
    return (process.getuid?.() === 0 ? bfree : bavail) * bsize < bytesPerMb;
  } catch {
    return false; // Somebody removed the folder.
  }
}

/** Removes what takes most of the room in a folder. Returns how much that was, in MiB. */
export async function removeLargeEntries(folder: string): Promise<number> {
  let removedMb = 0;
  for (const entry of await readdir(folder).catch(() => [])) {
    const sizeMb = await sizeMbOf(path.join(folder, entry));
    if (sizeMb <= largestKeptMb) continue;
    await rm(path.join(folder, entry), { recursive: true, force: true });
    removedMb += sizeMb;
  }
  return removedMb;
}

async function sizeMbOf(entry: string): Promise<number> {
  const children = await readdir(entry, { recursive: true }).catch(() => []);
  const files = [entry, ...children.map((child) => path.join(entry, child))];
  const sizes = await Promise.all(
    files.map((file) =>
      lstat(file).then(
        ({ blocks }) => (blocks * 512) / bytesPerMb,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, sizeMb) => sum + sizeMb, 0);
}
