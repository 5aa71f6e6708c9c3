import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { dockerHostOfTunnel, folderOf, type SshTarget } from '../../engine/ssh/target.js';
import { closeTunnel } from '../../engine/ssh/tunnel.js';
import { parseJson } from '../json.js';
import { readLeases } from '../leases.js';
import { isProvablyDead, ownerSchema, thisProcess } from '../owner.js';

/** A file for each process that may need the connection any moment. */
const marks = (folder: string): string => path.join(folder, 'users');
const ownMark = (folder: string): string => path.join(marks(folder), `${String(process.pid)}.json`);

/** Others are not to end the connection to a host while this process lives, or until it leaves the host. */
export async function enterHost(target: SshTarget): Promise<void> {
  const folder = folderOf(target);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await mkdir(marks(folder), { recursive: true, mode: 0o700 });
  await writeFile(ownMark(folder), JSON.stringify(thisProcess()), { mode: 0o600 });
}

/** This process needs the connection no more. It is ended, unless somebody else does or a stack there has a lease. */
export async function leaveHost(folder: string): Promise<void> {
  await rm(ownMark(folder), { force: true });
  await closeTunnel(folder, async () => (await hasUsers(folder)) || (await hasLeases(folder)));
}

async function hasUsers(folder: string): Promise<boolean> {
  for (const name of await readdir(marks(folder)).catch(() => [])) {
    const text = await readFile(path.join(marks(folder), name), 'utf8').catch(() => '');
    const owner = ownerSchema.safeParse(parseJson(text));
    if (owner.success && !isProvablyDead(owner.data)) return true;
  }
  return false;
}

async function hasLeases(folder: string): Promise<boolean> {
  const { leases } = await readLeases();
  return leases.some(({ dockerHost }) => dockerHost === dockerHostOfTunnel(folder));
}
