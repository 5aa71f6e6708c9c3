import { appendFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { isRoot } from '../../../engine/machine.js';

/** A disk of its own that a test can fill: nobody else has anything on it. */
export interface SmallDisk {
  folder: string;
  /** @param stays fills it again and again, as soon as there is room. */
  fill(stays: boolean): Promise<void>;
  free(): Promise<void>;
  dismiss(): Promise<void>;
}

const sizeMb = 96;
const intervalMs = 20;
/** Big steps first, small ones for the rest. */
const steps = [1024 * 1024, 4096].map((bytes) => Buffer.alloc(bytes, 'x'));

/** @throws Error for anybody but root. */
export async function newDisk(): Promise<SmallDisk> {
  if (!isRoot()) throw new Error('only root can make a disk of its own');
  const folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-disk-'));
  await execa('mount', ['-t', 'tmpfs', '-o', `size=${String(sizeMb)}m`, 'tmpfs', folder]);
  const filler = path.join(folder, 'filler');
  let filling: { timer?: NodeJS.Timeout; ended: Promise<void> } = { ended: Promise.resolve() };

  const fillOnce = async (): Promise<void> => {
    for (const step of steps) {
      for (;;) {
        try {
          await appendFile(filler, step);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          break;
        }
      }
    }
  };
  const free = async (): Promise<void> => {
    clearInterval(filling.timer);
    await filling.ended;
    await rm(filler, { force: true });
  };
  return {
    folder,
    async fill(stays) {
      await fillOnce();
      if (!stays) return;
      const timer = setInterval(() => {
        filling = { timer, ended: filling.ended.then(fillOnce) };
      }, intervalMs);
      filling = { timer, ended: Promise.resolve() };
    },
    free,
    async dismiss() {
      await free();
      await execa('umount', [folder]);
      await rm(folder, { recursive: true });
    },
  };
}

/** Folders on a disk. @returns their paths. */
export async function foldersOn({ folder }: SmallDisk, names: readonly string[]): Promise<string[]> {
  const paths = names.map((name) => path.join(folder, name));
  for (const each of paths) await mkdir(each);
  return paths;
}
