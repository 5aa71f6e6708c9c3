import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  loadBegins,
  readMemoryLines,
  summarise,
  type MemoryLine,
  type Sample,
} from '../../runners/memory-summary.js';
import { temporaryFolder } from '../helpers/temporary.js';

const containers = [
  { service: 'redis', containerId: 'r', limitMb: 96 },
  { service: 'auth', containerId: 'a', limitMb: 192 },
] as const;

/** Our clock shows 1e12 when the sampling begins; the engine needs 2 ms for an answer. */
const sample = (service: Sample['service'], afterMs: number, usedMb = 1): Sample => ({
  service,
  afterMs,
  atMs: 1e12 + afterMs,
  readAtMs: 1e12 + afterMs - 2,
  usedMb,
});
const everySecond = (service: Sample['service'], times: number[]): Sample[] =>
  times.map((time) => sample(service, time));

describe('summary', () => {
  test('has the peak of the simultaneous sum, not the sum of the peaks', async () => {
    const samples = [
      sample('redis', 0, 50),
      sample('auth', 1, 10),
      sample('redis', 1000, 20),
      sample('auth', 1001, 60),
    ];
    expect(await summarise(samples, containers, 2000, [])).toEqual({
      memory: {
        measured: true,
        value: {
          sampleCount: 4,
          peakMb: 80,
          gaps: [],
          services: { redis: { limitMb: 96, peakMb: 50 }, auth: { limitMb: 192, peakMb: 60 } },
        },
      },
      clock: { measured: true, value: { engineAheadMs: -2, setByMs: 0 } },
    });
  });

  test('tells what was idle from what the load added, and what the kernel counts', async () => {
    const at = { afterMs: 1, atMs: 1e12 + 1 };
    const kernel = (availableMb: number, hostKills: number, oomKills: number): MemoryLine => ({
      ...at,
      kernel: {
        host: { totalMb: 24_000, availableMb, oomKills: hostKills },
        services: { redis: { kernelPeakMb: 90, oomKills } },
      },
    });
    const lines: MemoryLine[] = [
      { ...sample('redis', 0, 10), kernelPeakMb: 15 },
      sample('auth', 0, 20),
      kernel(20_000, 7, 0),
      { ...at, mark: loadBegins },
      sample('redis', 1000, 50),
      sample('auth', 1000, 5),
      { ...at, mark: 'redis: something else' },
      kernel(300, 9, 1),
      kernel(15_000, 9, 1),
    ];
    const { memory } = await summarise(lines, containers, 2000, []);
    expect(memory).toMatchObject({
      value: {
        baselineMb: 30,
        peakMb: 70,
        host: { totalMb: 24_000, leastAvailableMb: 300, oomKills: 2 },
        services: {
          redis: { limitMb: 96, baselineMb: 10, peakMb: 50, kernelPeakMb: 90, oomKills: 1 },
          auth: { limitMb: 192, baselineMb: 20, peakMb: 20 },
        },
      },
    });
  });

  const kernelAt = (afterMs: number, redis?: { kernelPeakMb: number; oomKills: number }): MemoryLine => ({
    afterMs,
    atMs: 1e12 + afterMs,
    kernel: { services: redis === undefined ? {} : { redis } },
  });
  const redisOf = async (lines: MemoryLine[]): Promise<unknown> => {
    const { memory } = await summarise(lines, containers, 4000, []);
    return memory.measured ? memory.value.services.redis : memory;
  };

  test('says when the kernel was last asked about a container that lived', async () => {
    const counts = { kernelPeakMb: 90, oomKills: 1 };
    const lines = [sample('redis', 0), kernelAt(1, counts), kernelAt(1000, counts), kernelAt(2000)];
    expect(await redisOf(lines)).toMatchObject({ ...counts, countedAt: new Date(1e12 + 1000).toISOString() });
  });

  test('keeps the peak of the kernel, although an older one comes late', async () => {
    const late = { ...sample('redis', 2000), kernelPeakMb: 30 };
    const lines = [sample('redis', 0), kernelAt(1000, { kernelPeakMb: 96, oomKills: 1 }), late];
    expect(await redisOf(lines)).toMatchObject({ kernelPeakMb: 96, oomKills: 1 });
  });

  test('has no baseline of a service at which nobody looked before the load', async () => {
    const mark: MemoryLine = { afterMs: 1, atMs: 1e12 + 1, mark: loadBegins };
    const lines = [sample('redis', 0), mark, sample('redis', 1000), ...everySecond('auth', [1000, 2000])];
    const { memory } = await summarise(lines, containers, 2000, []);
    if (!memory.measured) throw new Error(memory.reason);
    expect(memory.value.baselineMb).toBeUndefined();
    expect(memory.value.services.auth).not.toHaveProperty('baselineMb');
  });

  const gapsOf = async (samples: Sample[], durationMs: number, breaks: string[] = []): Promise<unknown> => {
    const { memory } = await summarise(samples, containers, durationMs, breaks);
    return memory.measured && memory.value.gaps;
  };

  test.each([
    ['no sample', [], 'no memory sample of redis'],
    ['a single sample, which shows no peak', [1000], 'a single memory sample of redis'],
    ['a pause at the start', [6000, 7000], 'no memory sample of redis for 6.0 s'],
    ['a pause in between', [0, 1000, 7000], 'no memory sample of redis for 6.0 s'],
    ['a pause at the end', [0, 1000], 'no memory sample of redis for 6.0 s'],
  ])('names a service with %s', async (_, times, gap) => {
    const samples = [...everySecond('redis', times), ...everySecond('auth', [0, 2000, 4000, 6000])];
    expect(await gapsOf(samples, 7000)).toEqual([gap]);
  });

  test('names what is known to be missing', async () => {
    const samples = [...everySecond('redis', [0, 1000]), ...everySecond('auth', [0, 1000])];
    expect(await gapsOf(samples, 2000, ['it broke off'])).toEqual(['it broke off']);
  });

  test('is not measured without any sample', async () => {
    const none = { measured: false, reason: 'it broke off; no memory sample came' };
    expect(await summarise([], containers, 1000, ['it broke off'])).toEqual({ memory: none, clock: none });
  });

  test("shows by how much the engine's clock was ahead at its worst", async () => {
    const samples = [
      sample('redis', 0),
      { ...sample('auth', 1000), readAtMs: 1e12 + 1040 },
      sample('auth', 2000),
    ];
    const { clock } = await summarise(samples, containers, 3000, []);
    expect(clock).toMatchObject({ value: { engineAheadMs: 40 } });
  });

  test.each([60, -60])('shows that our clock was set by %i ms', async (byMs) => {
    const later = { ...sample('redis', 2000), atMs: 1e12 + 2000 + byMs, readAtMs: 1e12 + 1990 + byMs };
    const { clock } = await summarise([sample('redis', 0), later], containers, 3000, []);
    expect(clock).toMatchObject({ value: { setByMs: 60 } });
  });
});

describe('the file of samples', () => {
  const read = async (text: string, taken: number): Promise<MemoryLine[]> => {
    const file = path.join(temporaryFolder('samples'), 'memory.jsonl');
    await writeFile(file, text);
    const lines: MemoryLine[] = [];
    for await (const line of readMemoryLines(file, taken)) lines.push(line);
    return lines;
  };
  const samples = everySecond('redis', [0, 1000, 2000]);
  const text = samples.map((each) => `${JSON.stringify(each)}\n`).join('');

  test('gives back what was written', async () => {
    expect(await read(text, 3)).toEqual(samples);
  });

  test.each([
    ['cut short', text.slice(0, -10), 'memory.jsonl: line 3 is damaged'],
    ['cut short between two lines', text.split('\n').slice(0, 2).join('\n'), 'holds 2 lines, 3 were written'],
    ['emptied', '', 'holds 0 lines, 3 were written'],
    ["mixed with another's", text + text, 'holds 6 lines, 3 were written'],
    ['with a figure below zero', text.replace('"usedMb":1', '"usedMb":-1'), 'line 1 is damaged'],
    ['with a figure that is none', text.replace('"usedMb":1', '"usedMb":null'), 'line 1 is damaged'],
  ])('that was %s is refused', async (_, damaged, reason) => {
    await expect(read(damaged, 3)).rejects.toThrow(reason);
  });
});
