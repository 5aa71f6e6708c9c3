import { readFileSync } from 'node:fs';
import path from 'node:path';

/** What the kernel counts of a container's memory. It goes with the container. */
interface Counters {
  /** Page cache included. */
  kernelPeakMb?: number;
  oomKills: number;
}

/** Text of a file of the kernel's; undefined where there is none, or none any more. */
export type ReadKernelFile = (file: string) => string | undefined;

/** What the kernel tells of a container for as long as it lives, then undefined. */
export interface Cgroup {
  counters(): Counters | undefined;
  /** MiB, as `usedMbOf` has it. */
  usedMb(): number | undefined;
}
export type CgroupOf = (container: { containerId: string; pid: number }) => Cgroup | undefined;

const bytesPerMb = 1024 * 1024;

/** Files of a group, and the key of inactive page cache in its `memory.stat`, by the version. */
const kernelNames = {
  1: {
    kills: 'memory.oom_control',
    peak: 'memory.max_usage_in_bytes',
    usage: 'memory.usage_in_bytes',
    inactive: 'total_inactive_file',
  },
  2: { kills: 'memory.events', peak: 'memory.peak', usage: 'memory.current', inactive: 'inactive_file' },
} as const;

/** MiB. Inactive page cache is given back under pressure: it is no need. */
export const usedMbOf = (usageBytes: number, inactiveBytes: number): number =>
  Math.max(0, usageBytes - inactiveBytes) / bytesPerMb;

/** These files are made when they are read and wait for no disk. */
export const readKernelFile: ReadKernelFile = (file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
};

/**
 * @param pid the container's main process as the engine numbers it: on another machine than ours that number is
 *   another process, whose path lacks the container's id.
 * @returns undefined when the container isn't on this machine, or the kernel doesn't show it to us.
 */
export function cgroupOf(
  { containerId, pid }: { containerId: string; pid: number },
  read: ReadKernelFile = readKernelFile,
): Cgroup | undefined {
  const place = placeOf(read(`/proc/${String(pid)}/cgroup`) ?? '', containerId);
  if (place === undefined) return undefined;
  const { version, folder } = place;
  const file = (name: string): string => read(path.join(folder, name)) ?? '';
  const { kills, peak, usage, inactive } = kernelNames[version];
  const cgroup: Cgroup = {
    counters: () => countersFrom(file(kills), file(peak)),
    usedMb: () => usedFrom(file(usage), file('memory.stat'), inactive),
  };
  return cgroup.counters() === undefined ? undefined : cgroup;
}

/** @param lines of `/proc/<pid>/cgroup`: `4:memory:/docker/<id>` in version 1, `0::/docker/<id>` in version 2. */
function placeOf(lines: string, containerId: string): { version: 1 | 2; folder: string } | undefined {
  const groups = lines.split('\n').map((line) => {
    const [, controllers = '', ...where] = line.split(':');
    return { controllers: controllers.split(','), where: where.join(':') };
  });
  const own = groups.find(({ controllers }) => controllers.includes('memory'));
  const place = own ?? groups.find(({ controllers }) => controllers[0] === '');
  // The process may live in a group inside the container's.
  const [, folder] = new RegExp(`^(.*${containerId}[^/]*)`).exec(place?.where ?? '') ?? [];
  if (folder === undefined) return undefined;
  return own === undefined
    ? { version: 2, folder: path.join('/sys/fs/cgroup', folder) }
    : { version: 1, folder: path.join('/sys/fs/cgroup/memory', folder) };
}

/**
 * @param counts lines, one of which counts the kills in both versions. Read first: a kill whose peak isn't seen yet
 *   would seem not to be the container's own.
 */
function countersFrom(counts: string, peak: string): Counters | undefined {
  const oomKills = valueOf(counts, 'oom_kill');
  if (!Number.isInteger(oomKills)) return undefined;
  const kernelPeakMb = Number(peak.trim()) / bytesPerMb;
  // Version 2 has no peak before kernel 5.19.
  return { ...(kernelPeakMb > 0 ? { kernelPeakMb } : {}), oomKills };
}

function usedFrom(usage: string, pages: string, inactive: string): number | undefined {
  const bytes = Number(usage.trim());
  const inactiveBytes = valueOf(pages, inactive);
  return bytes > 0 && Number.isFinite(inactiveBytes) ? usedMbOf(bytes, inactiveBytes) : undefined;
}

/** From lines like `oom_kill 3`. */
const valueOf = (text: string, key: string): number =>
  Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN);

interface HostMemory {
  totalMb: number;
  availableMb: number;
  /** Since the machine started. */
  oomKills: number;
}

/** This machine's; undefined where the kernel has no such files. */
export function readHostMemory(read: ReadKernelFile = readKernelFile): HostMemory | undefined {
  const memory = read('/proc/meminfo') ?? '';
  const mb = (key: string): number =>
    Number(new RegExp(`^${key}: +(\\d+) kB$`, 'm').exec(memory)?.[1]) / 1024;
  const host = {
    totalMb: mb('MemTotal'),
    availableMb: mb('MemAvailable'),
    oomKills: valueOf(read('/proc/vmstat') ?? '', 'oom_kill'),
  };
  return Object.values(host).every(Number.isFinite) ? host : undefined;
}
