import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { delayTest, eventSuites, summariseDeliveries } from '../../../bench/load.js';
import { perUserMb } from '../../../bench/memory.js';
import { parseStat } from '../../../bench/process-tree.js';
import { timesOf } from '../../../bench/suites.js';
import { runRecord, suiteRecord } from '../support/records.js';

describe('deliveries', () => {
  test('are counted while a test has events, not while it has none', () => {
    const at = (test: string, emittedAt: number, latencyMs: number) => ({
      ...{ test, emittedAt, receivedAt: emittedAt + latencyMs },
    });
    const deliveries = [at('a', 10_000, 2), at('a', 10_500, 4), at('a', 10_990, 10), at('b', 90_000, 1000)];
    expect(summariseDeliveries(deliveries)).toEqual({
      count: 4,
      p50Ms: 4,
      p99Ms: 1000,
      maxMs: 1000,
      perSecond: 2,
      mostInASecond: 2,
    });
  });
});

describe('the test for delay', () => {
  test('is still called so', async () => {
    const folder = path.join(import.meta.dirname, '..', '..', 'critical');
    const texts = await Promise.all(
      eventSuites.map((suite) => readFile(path.join(folder, `${suite}.test.ts`), 'utf8')),
    );
    expect(texts.join('')).toContain(`'${delayTest}'`);
  });
});

describe('memory per user', () => {
  test('is what the others add to the fewest', () => {
    const peaks = [
      { users: 10, peakMb: 100 },
      { users: 50, peakMb: 120 },
      { users: 100, peakMb: 190 },
    ];
    expect(perUserMb(peaks)).toBe(1);
  });

  test('is unknown with a single count of users', () => {
    expect(perUserMb([{ users: 10, peakMb: 100 }])).toBeUndefined();
    expect(perUserMb([])).toBeUndefined();
  });
});

describe('a process', () => {
  test('is read after its name, which may hold anything', () => {
    const stat = '42 (a) (b 7) S 41 42 42 0 -1 4194304 9 9 9 9 150 50 300 100 20 0 1 0 9 9 512 9';
    expect(parseStat(stat)).toEqual({ parent: 41, cpuSeconds: 2, childrenCpuSeconds: 4, rssMb: 2 });
  });
});

describe("a run's time", () => {
  test('is split by what it was for', () => {
    const durations = { createMs: 1, upMs: 2, suiteMs: 30, destroyMs: 4, totalMs: 40 };
    const record = runRecord([
      suiteRecord({ durations }),
      suiteRecord({ durations: { suiteMs: 10, totalMs: 10 } }),
    ]);
    expect(timesOf(record, 100)).toEqual({
      'wall clock': 100,
      'all that is not suite time': 60,
      'suites, sum': 40,
      'stacks made, sum': 1,
      'environments up, sum': 2,
      'environments destroyed, sum': 4,
      'set-up, evidence, audits, reports': 53,
    });
  });

  test('has no rest where an environment came up while a suite ran', () => {
    const record = runRecord([suiteRecord({ preparedAhead: true })]);
    expect(timesOf(record, 100)).not.toHaveProperty('set-up, evidence, audits, reports');
  });
});
