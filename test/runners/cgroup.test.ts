import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { cgroupOf, readHostMemory, readKernelFile, type ReadKernelFile } from '../../runners/cgroup.js';
import { findCrashes, type ContainerEvent } from '../../runners/oom.js';
import type { Crash } from '../../runners/report/record.js';

interface Recording {
  containerId: string;
  pid: number;
  /** What the kernel's files said, by their paths. */
  files: Record<string, string>;
}

function recorded(name: string): Recording {
  const folder = path.resolve(import.meta.dirname, '../fixtures/cgroup');
  return JSON.parse(readFileSync(path.join(folder, `${name}.json`), 'utf8')) as Recording;
}

const reader =
  (files: Readonly<Record<string, string>>): ReadKernelFile =>
  (file) =>
    files[file];
const countersOf = ({ files, ...container }: Recording) => cgroupOf(container, reader(files))?.counters();

/** The recording with its files' paths and texts changed. */
const changed = (recording: Recording, change: (file: [string, string]) => [string, string]): Recording => ({
  ...recording,
  files: Object.fromEntries(Object.entries(recording.files).map(change)),
});
const without = (recording: Recording, name: string): Recording => ({
  ...recording,
  files: Object.fromEntries(Object.entries(recording.files).filter(([file]) => !file.endsWith(name))),
});

describe("a container's counters", () => {
  test.each([
    ['v1-own-limit', { kernelPeakMb: 32, oomKills: 1 }],
    ['v1-group-limit', { kernelPeakMb: 39_657_472 / 1024 ** 2, oomKills: 1 }],
    ['v1-group-limit-spared', { kernelPeakMb: 4_067_328 / 1024 ** 2, oomKills: 0 }],
    ['v2-own-limit', { kernelPeakMb: 512, oomKills: 1 }],
  ])('are read as they were recorded: %s', (name, counters) => {
    expect(countersOf(recorded(name))).toEqual(counters);
  });

  test('are the kills alone on a kernel of version 2 that keeps no peak', () => {
    expect(countersOf(without(recorded('v2-own-limit'), 'memory.peak'))).toEqual({ oomKills: 1 });
  });

  test.each(['v1-own-limit', 'v2-own-limit'])(
    'are those of the container, not of a group in it: %s',
    (name) => {
      const inside = changed(recorded(name), ([file, text]) => [
        file,
        file.startsWith('/proc/') ? text.replaceAll('\n', '/init\n') : text,
      ]);
      expect(countersOf(inside)).toEqual(countersOf(recorded(name)));
    },
  );

  test('are found where the controller shares its place with others', () => {
    const shared = changed(recorded('v1-own-limit'), ([file, text]) => [
      file,
      text.replace(':memory:', ':cpuset,memory:'),
    ]);
    expect(countersOf(shared)).toEqual({ kernelPeakMb: 32, oomKills: 1 });
  });

  test('are gone when the container is', () => {
    const { files, ...container } = recorded('v1-own-limit');
    let there = true;
    const cgroup = cgroupOf(container, (file) => (there ? files[file] : undefined));
    expect(cgroup?.counters()).toBeDefined();
    there = false;
    expect(cgroup?.counters()).toBeUndefined();
  });

  test('never show a kill without the peak that led to it, however late the second file is read', () => {
    const { files, ...container } = recorded('v1-own-limit');
    const before = { ...files };
    for (const file of Object.keys(files)) {
      if (file.endsWith('memory.max_usage_in_bytes')) before[file] = '4067328\n';
      if (file.endsWith('memory.oom_control')) before[file] = 'oom_kill 0\n';
    }
    let asked = 0;
    // The kill falls between the two files of a look.
    const cgroup = cgroupOf(container, (file) => {
      if (!file.includes('memory.')) return files[file];
      asked += 1;
      return (asked <= 3 ? before : files)[file];
    });
    const look = cgroup?.counters();
    expect(asked).toBe(4);
    expect(look).toEqual({ kernelPeakMb: 32, oomKills: 0 });
  });

  test.each([
    ['a process of another container', (it: Recording) => ({ ...it, containerId: 'f'.repeat(64) })],
    ['a process that is gone', (it: Recording) => ({ ...it, pid: 1 })],
    ['a container that has ended, whose process has the number 0', (it: Recording) => ({ ...it, pid: 0 })],
    ['a kernel that counts no kills', (it: Recording) => without(it, 'memory.oom_control')],
    [
      'a kernel before 4.13, which has the file without the count',
      (it: Recording) => changed(it, ([file, text]) => [file, text.replace(/oom_kill \d+\n/, '')]),
    ],
    [
      'a count that is none',
      (it: Recording) => changed(it, ([file, text]) => [file, text.replace(/oom_kill \d+/, 'oom_kill many')]),
    ],
  ])('are none of %s', (_, change) => {
    expect(countersOf(change(recorded('v1-own-limit')))).toBeUndefined();
  });
});

describe("a container's use of memory", () => {
  /** The recording with these files beside those that it has. */
  const withUse = (recording: Recording, use: Readonly<Record<string, string>>): Recording => {
    const place = Object.keys(recording.files).find((file) => file.includes('/memory.')) ?? '';
    const beside = Object.entries(use).map(([name, text]) => [path.join(path.dirname(place), name), text]);
    return { ...recording, files: { ...recording.files, ...(Object.fromEntries(beside) as object) } };
  };
  const usedOf = ({ files, ...container }: Recording) => cgroupOf(container, reader(files))?.usedMb();

  test.each([
    ['v1-own-limit', 'memory.usage_in_bytes', 'cache 9\ninactive_file 1\ntotal_inactive_file 31457280\n'],
    ['v2-own-limit', 'memory.current', 'anon 9\ninactive_file 31457280\nactive_file 9\n'],
  ])('leaves inactive page cache out: %s', (name, usage, pages) => {
    const recording = withUse(recorded(name), { [usage]: '104857600\n', 'memory.stat': pages });
    expect(usedOf(recording)).toBe(70);
  });

  test.each([
    ['the usage', { 'memory.stat': 'total_inactive_file 0\n' }],
    ['the page cache', { 'memory.usage_in_bytes': '104857600\n' }],
  ])('is unknown where the kernel keeps %s to itself', (_, use) => {
    expect(usedOf(withUse(recorded('v1-own-limit'), use))).toBeUndefined();
  });
});

describe('an OOM event of the engine, with what the kernel counted,', () => {
  const atMs = Date.UTC(2026, 0, 1);
  const crashesOf = (name: string, limitMb: number): Crash[] => {
    const counters = countersOf(recorded(name));
    if (counters === undefined) throw new Error(`${name} has no counters`);
    const oom: ContainerEvent = { service: 'redis', action: 'oom', atMs };
    const countedAt = new Date(atMs + 1_000).toISOString();
    const redis = { limitMb, peakMb: 3, ...counters, countedAt };
    return findCrashes(
      {
        events: [oom],
        states: [{ service: 'redis', running: true, oomKilled: false, exitCode: 0 }],
        memory: { sampleCount: 9, peakMb: 3, gaps: [], services: { redis } },
        exhaustions: [],
      },
      ['redis'],
    );
  };

  test.each([
    ['v1-own-limit', 32],
    ['v2-own-limit', 512],
  ])('is an OOM kill at the limit of the container: %s', (name, limitMb) => {
    expect(crashesOf(name, limitMb)).toMatchObject([{ service: 'redis', kind: 'oom' }]);
  });

  test('is none of its own doing when a group around it had no memory left', () => {
    expect(crashesOf('v1-group-limit', 512)).toMatchObject([
      { service: 'redis', kind: 'host oom', evidence: expect.stringContaining('38 of 512 MiB') },
    ]);
  });

  test('is nothing to the one of the group that lost no process', () => {
    expect(crashesOf('v1-group-limit-spared', 512)).toEqual([]);
  });
});

describe("the host's memory", () => {
  const files = {
    '/proc/meminfo':
      'MemTotal:       25165824 kB\nMemFree:         1048576 kB\nMemAvailable:    2097152 kB\n',
    '/proc/vmstat': 'nr_free_pages 262144\noom_kill 7\ncompact_stall 0\n',
  };

  test('is what the kernel says', () => {
    expect(readHostMemory(reader(files))).toEqual({ totalMb: 24_576, availableMb: 2_048, oomKills: 7 });
  });

  test('is read of this machine', () => {
    expect(readHostMemory(readKernelFile)?.totalMb).toBeGreaterThan(0);
  });

  test.each([
    ['without meminfo, as on another system', { '/proc/meminfo': '' }],
    ['without what is available, before 3.14', { '/proc/meminfo': 'MemTotal: 25165824 kB\n' }],
    ['without a count of kills, before 4.13', { '/proc/vmstat': 'nr_free_pages 262144\n' }],
  ])('is unknown to a kernel %s', (_, change) => {
    expect(readHostMemory(reader({ ...files, ...change }))).toBeUndefined();
  });
});
