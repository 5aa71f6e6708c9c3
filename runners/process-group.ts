import { readdirSync, readFileSync } from 'node:fs';

/** Signals every process of the group that `pid` leads; one that is gone already is fine. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  signalQuietly(-pid, signal);
}

/**
 * Kills the group that `pid` leads and, where the system tells, every other process of its session: Pulumi
 * gives its plugins groups of their own, and so does a shell with job control.
 */
export function killSession(pid: number): void {
  signalGroup(pid, 'SIGKILL');
  for (const member of sessionMembers(pid)) signalQuietly(member, 'SIGKILL');
}

function sessionMembers(session: number): number[] {
  let entries: string[];
  try {
    entries = readdirSync('/proc');
  } catch {
    return []; // No procfs: the group is all there is.
  }
  return entries
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => sessionOf(pid) === session);
}

function sessionOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold anything; the session is the sixth.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
  } catch {
    return undefined;
  }
}

function signalQuietly(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
