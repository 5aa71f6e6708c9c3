import { readdirSync, readFileSync } from 'node:fs';

const pageBytes = 4096;
const bytesPerMb = 1024 * 1024;
/** Linux counts CPU time for programs in hundredths, whatever the kernel's own clock. */
const ticksPerSecond = 100;

export interface ProcessStat {
  parent: number;
  /** Of itself. */
  cpuSeconds: number;
  /** Of its children that have ended and that it waited for, theirs included. */
  childrenCpuSeconds: number;
  rssMb: number;
}

/** @param stat text of `/proc/<pid>/stat`; the second field may hold anything, in parentheses. */
export function parseStat(stat: string): ProcessStat {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [parent, user, system, childrenUser, childrenSystem, rssPages] = [1, 11, 12, 13, 14, 21].map(
    (index) => Number(fields[index]),
  );
  return {
    parent: parent ?? 0,
    cpuSeconds: ((user ?? 0) + (system ?? 0)) / ticksPerSecond,
    childrenCpuSeconds: ((childrenUser ?? 0) + (childrenSystem ?? 0)) / ticksPerSecond,
    rssMb: ((rssPages ?? 0) * pageBytes) / bytesPerMb,
  };
}

/** Of a process, or of this one; undefined when it has ended. */
export function statOf(pid: number | 'self'): ProcessStat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** A process and its descendants, as they are now. */
export function treeOf(root: number): Map<number, ProcessStat> {
  const all = new Map<number, ProcessStat>();
  for (const entry of readdirSync('/proc')) {
    const stat = /^\d+$/.test(entry) ? statOf(Number(entry)) : undefined;
    if (stat !== undefined) all.set(Number(entry), stat);
  }
  const isIn = (pid: number): boolean => {
    if (pid === root) return true;
    const parent = all.get(pid)?.parent;
    return parent !== undefined && parent !== pid && isIn(parent);
  };
  return new Map([...all].filter(([pid]) => isIn(pid)));
}
