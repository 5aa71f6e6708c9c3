import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import * as z from 'zod';

/**
 * A process that can be told from every other one, also from a later one with the same number. What a system
 * doesn't tell is empty.
 */
export const ownerSchema = z.strictObject({
  hostname: z.string(),
  /** Tells machines of one name apart. */
  machineId: z.string(),
  /** Changes with each start of the machine. */
  bootId: z.string(),
  /** Numbers of processes mean nothing in another one. */
  pidNamespace: z.string(),
  pid: z.int().positive(),
  /** When the process started, in the system's own unit since the boot. */
  startedAt: z.string(),
});
export type Owner = z.infer<typeof ownerSchema>;

/** This very process. */
export function thisProcess(): Owner {
  const { pid } = process;
  return { ...thisMachine(), pid, startedAt: startOf(pid) ?? '' };
}

/** Whether it has certainly ended. Of a process that can't be seen from here nothing is certain. */
export function isProvablyDead(owner: Owner): boolean {
  const here = thisMachine();
  if (isElsewhere(owner)) return false;
  if (owner.bootId !== here.bootId) return true;
  if (owner.pidNamespace !== here.pidNamespace) return false;
  if (!isAlive(owner.pid)) return true;
  const startedAt = startOf(owner.pid);
  return startedAt !== undefined && startedAt !== owner.startedAt;
}

/** Whether it is, or was, on another machine. */
export function isElsewhere(owner: Owner): boolean {
  const here = thisMachine();
  return owner.hostname !== here.hostname || owner.machineId !== here.machineId;
}

/** Whether nothing can be told of it from here: it is, or was, on another machine or in another container. */
export function isUnseen(owner: Owner): boolean {
  const here = thisMachine();
  if (isElsewhere(owner)) return true;
  return owner.bootId === here.bootId && owner.pidNamespace !== here.pidNamespace;
}

/** Also true of another user's process, and of one that nobody can ask about. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
  // A zombie is dead: only its parent hasn't noticed yet.
  return !['Z', 'X'].includes(statOf(pid)?.state ?? '');
}

/** What a process has in common with the others on its machine. */
export const thisMachine = (): Omit<Owner, 'pid' | 'startedAt'> => ({
  hostname: hostname(),
  machineId: textOf('/etc/machine-id'),
  bootId: textOf('/proc/sys/kernel/random/boot_id'),
  pidNamespace: pidNamespace(),
});

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

/** Of the program that a process runs, its first 15 letters; undefined where the system doesn't tell. */
export const nameOf = (pid: number): string | undefined => statOf(pid)?.name;

const startOf = (pid: number): string | undefined => statOf(pid)?.startedAt;

function statOf(pid: number): { name: string; state: string; startedAt: string } | undefined {
  const stat = textOf(`/proc/${String(pid)}/stat`);
  // The second field is the program's name in parentheses and may hold anything.
  const [nameStart, nameEnd] = [stat.indexOf('(') + 1, stat.lastIndexOf(')')];
  const fields = stat.slice(nameEnd + 2).split(' ');
  const [state, startedAt] = [fields[0], fields[19]];
  if (state === undefined || startedAt === undefined) return undefined;
  return { name: stat.slice(nameStart, nameEnd), state, startedAt };
}
