import { mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { replaceFile } from '../engine/replace-file.js';
import type { Occupant } from './admission.js';
import { parseJson } from './json.js';
import { isProvablyDead, isUnseen, ownerSchema, thisProcess } from './owner.js';

const ticketSchema = z.strictObject({
  stack: z.string(),
  memoryMb: z.number().positive(),
  dockerHost: z.string(),
  owner: ownerSchema,
});

/** A place in the line of those who wait for a Docker Engine's memory. */
export interface Place {
  /** Who came before. */
  earlier(): Promise<Occupant[]>;
  leave(): Promise<void>;
}

/** Goes to the end of the line. @param folder has a file for each who waits, whichever process it is. */
export async function joinLine(folder: string, demand: Occupant, dockerHost: string): Promise<Place> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // The time since the machine's start orders them, whoever sets a clock; who waited before that is dead.
  const name = `${process.hrtime.bigint().toString().padStart(20, '0')}-${String(process.pid)}.json`;
  const file = path.join(folder, name);
  await replaceFile(file, JSON.stringify({ ...demand, dockerHost, owner: thisProcess() }), 0o600);
  return {
    async earlier() {
      // For those who can't see this process: it still waits.
      const now = new Date();
      await utimes(file, now, now).catch(() => undefined);
      return lineBefore(name, folder, dockerHost);
    },
    leave: () => rm(file, { force: true }),
  };
}

/** Everybody who waits, first come first. */
export const wholeLine = (folder: string, dockerHost: string): Promise<Occupant[]> =>
  lineBefore(undefined, folder, dockerHost);

/** Whoever waits looks twice a second. */
const freshMs = 60_000;

async function isFresh(file: string): Promise<boolean> {
  const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: 0 }));
  return mtimeMs > Date.now() - freshMs;
}

async function lineBefore(end: string | undefined, folder: string, dockerHost: string): Promise<Occupant[]> {
  const found: Occupant[] = [];
  for (const name of (await readdir(folder).catch(() => [])).sort()) {
    if (name === end) break;
    if (!name.endsWith('.json')) continue;
    const file = path.join(folder, name);
    // Who has left meanwhile, and who can't be read, keeps nobody waiting.
    const text = await readFile(file, 'utf8').catch(() => '');
    const ticket = ticketSchema.safeParse(parseJson(text));
    if (!ticket.success || ticket.data.dockerHost !== dockerHost) continue;
    const { stack, memoryMb, owner } = ticket.data;
    if (isProvablyDead(owner)) await rm(file, { force: true });
    else if (!isUnseen(owner) || (await isFresh(file))) found.push({ stack, memoryMb });
  }
  return found;
}
