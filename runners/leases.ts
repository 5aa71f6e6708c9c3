import { createHash } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { uptime } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { cacheFolder } from '../engine/cache.js';
import { underLock } from '../engine/lock.js';
import { reasonOf } from '../engine/errors.js';
import { replaceFile } from '../engine/replace-file.js';
import { readIfThere } from './files.js';
import { ownerSchema, thisMachine } from './owner.js';

/** Bumped whenever an older reader would misread a newer lease. */
const leaseVersion = 1;

/** Who answers for a stack, and how long. It is there from before the stack is made until after it is gone. */
const leaseSchema = z.strictObject({
  stack: z.string(),
  /** Of its labels: what is left of a stack is found by them. */
  runId: z.string(),
  suite: z.string(),
  /** Σ(limits) of its environment; 0 before it comes up, and once nothing of it runs any more. */
  memoryMb: z.number().nonnegative(),
  /** Address of the Docker Engine that it is on. */
  dockerHost: z.string(),
  /** Of AWS, where its host is made: what is left of it is found there, whether or not the host lives. */
  region: z.string().optional(),
  /** Where its state is; without it the stack can't be found. */
  backend: z.string(),
  /** File of the passphrase that locks the state's secrets; null where something else locks them. */
  passphraseFile: z.string().nullable(),
  /** The process that made it. */
  owner: ownerSchema,
  /** It outlives its owner, until it expires. */
  standing: z.boolean(),
  /** ISO 8601, UTC, by the clock of the machine that wrote the lease. */
  madeAt: z.iso.datetime(),
  /** The same by a clock that nobody sets: since the start of the owner's machine. */
  madeAtUptimeS: z.number().nonnegative(),
  expiresAt: z.iso.datetime(),
});
export type Lease = z.infer<typeof leaseSchema>;
export type LeaseKey = Pick<Lease, 'stack' | 'backend'>;

const fileSchema = z.strictObject({ version: z.literal(leaseVersion), lease: leaseSchema });

/** Every lease of this user on this machine. */
export interface Leases {
  leases: Lease[];
  /** Files that are there and can't be read as leases: nothing is concluded from them. */
  unreadable: UnreadableLease[];
}

export interface UnreadableLease {
  file: string;
  /** By the file's name. */
  stack: string;
  reason: string;
}

/** Two machines' clocks may differ by so much. */
const clockToleranceMs = 60_000;

/** One place for all checkouts, so that two runners on one machine see each other. */
export const leasesFolder = (): string => path.join(cacheFolder(), 'leases');

/** Stacks of two backends may have one name. */
function fileOf(folder: string, { stack, backend }: LeaseKey): string {
  const digest = createHash('sha256').update(backend).digest('hex').slice(0, 8);
  return path.join(folder, `${stack}.${digest}.json`);
}

/** The backend's address may hold a password: only its user reads the file. */
export async function writeLease(lease: Lease, folder = leasesFolder()): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await replaceFile(fileOf(folder, lease), JSON.stringify({ version: leaseVersion, lease }), 0o600);
}

export async function removeLease(lease: LeaseKey, folder = leasesFolder()): Promise<void> {
  await rm(fileOf(folder, lease), { force: true });
}

export async function readLeases(folder = leasesFolder()): Promise<Leases> {
  const found: Leases = { leases: [], unreadable: [] };
  for (const name of (await readdir(folder).catch(() => [])).sort()) {
    if (!name.endsWith('.json')) continue;
    const file = path.join(folder, name);
    try {
      const lease = await readLease(file);
      // It was given back meanwhile: then there is nothing to tell.
      if (lease !== undefined) found.leases.push(lease);
    } catch (error) {
      const stack = name.replace(/\.[0-9a-f]{8}\.json$/, '');
      found.unreadable.push({ file, stack, reason: reasonOf(error) });
    }
  }
  return found;
}

/**
 * Does what is to be done about a stack that nobody answers for any more, and gives its lease back, unless somebody
 * else has done so by then, or prolonged it: a janitor, a run, `gc` and `up` may meet at one stack.
 */
export async function settleLease(
  lease: Lease,
  work: () => Promise<void>,
  folder = leasesFolder(),
): Promise<void> {
  await underLease(
    lease,
    async (found) => {
      if (!isDeepStrictEqual(found, lease)) return;
      await work();
      await removeLease(lease, folder);
    },
    folder,
  );
}

/**
 * Does something about a stack while nobody else settles or prolongs it.
 * @param work is told of the stack's lease, if it has one.
 * @throws Error when there is a lease that can't be read, and whatever `work` throws.
 */
export async function underLease<T>(
  key: LeaseKey,
  work: (found: Lease | undefined) => Promise<T>,
  folder = leasesFolder(),
): Promise<T> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = fileOf(folder, key);
  return underLock({ folder, name: path.basename(file) }, async () => {
    const found = await readLease(file).catch((cause: unknown) => {
      throw new Error(`lease ${file}: ${reasonOf(cause)}`, { cause });
    });
    return work(found);
  });
}

/** @throws Error when the file is there and no lease is to be read from it. */
async function readLease(file: string): Promise<Lease | undefined> {
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  const { lease } = parseLeaseFile(text);
  if (fileOf(path.dirname(file), lease) !== file) throw new Error(`it is of the stack ${lease.stack}`);
  if (isOfTheFuture(lease)) {
    throw new Error(`it was made at ${lease.madeAt}, which is in the future`);
  }
  return lease;
}

/**
 * A clock that was set back must not make a dead runner's lease one of the future. A standing stack goes by the
 * clock that people read.
 */
function isOfTheFuture({ madeAt, madeAtUptimeS, owner, standing }: Lease): boolean {
  const sameBoot = owner.bootId !== '' && owner.bootId === thisMachine().bootId;
  if (sameBoot && madeAtUptimeS > uptime()) return true;
  return (standing || !sameBoot) && Date.parse(madeAt) > Date.now() + clockToleranceMs;
}

function parseLeaseFile(text: string): z.infer<typeof fileSchema> {
  const { success, data, error } = fileSchema.safeParse(jsonOf(text));
  if (success) return data;
  throw new Error(z.prettifyError(error).replaceAll('\n', ' '));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error('it is cut short, or no JSON', { cause });
  }
}
