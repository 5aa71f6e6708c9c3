import { describe, expect, test } from '@jest/globals';
import { parseStats, summarise, type Sample } from '../../runners/memory.js';

const mb = 1024 * 1024;

describe('a line of stats', () => {
  test('of cgroup v1 leaves inactive page cache out and has the kernel peak', () => {
    const stats = {
      memory_stats: {
        usage: 100 * mb,
        max_usage: 130 * mb,
        stats: { total_inactive_file: 30 * mb, inactive_file: 1 },
      },
    };
    expect(parseStats(stats, 'redis', 5)).toEqual({
      service: 'redis',
      atMs: 5,
      usedMb: 70,
      kernelPeakMb: 130,
    });
  });

  test('of cgroup v2 leaves inactive page cache out and has no kernel peak', () => {
    const stats = { memory_stats: { usage: 100 * mb, stats: { inactive_file: 40 * mb } } };
    expect(parseStats(stats, 'redis', 5)).toEqual({ service: 'redis', atMs: 5, usedMb: 60 });
  });

  test('of a container that has ended is no sample', () => {
    expect(parseStats({ memory_stats: {} }, 'redis', 5)).toBeUndefined();
  });
});

describe('summary', () => {
  const containers = [
    { service: 'redis', containerId: 'r', limitMb: 96 },
    { service: 'auth', containerId: 'a', limitMb: 192 },
  ] as const;
  const sample = (service: Sample['service'], atMs: number, usedMb: number): Sample => ({
    service,
    atMs,
    usedMb,
  });

  test('has the peak of the simultaneous sum, not the sum of the peaks', () => {
    const samples = [
      sample('redis', 0, 50),
      sample('auth', 1, 10),
      sample('redis', 1000, 20),
      sample('auth', 1001, 60),
    ];
    const summary = summarise(samples, containers, 0, 2000);
    expect(summary).toEqual({
      measured: true,
      value: {
        sampleCount: 4,
        peakMb: 80,
        gaps: [],
        services: { redis: { limitMb: 96, peakMb: 50 }, auth: { limitMb: 192, peakMb: 60 } },
      },
    });
  });

  test('names a service without a sample', () => {
    const summary = summarise([sample('redis', 0, 50)], containers, 0, 1000);
    expect(summary).toMatchObject({ measured: true, value: { gaps: ['no memory sample of auth'] } });
  });

  test.each([
    ['at the start', [6000, 7000]],
    ['in between', [0, 1000, 7000]],
    ['at the end', [0, 1000]],
  ])('names a gap %s', (_, times) => {
    const samples = [
      ...times.map((at) => sample('redis', at, 1)),
      ...[0, 2000, 4000, 6000].map((at) => sample('auth', at, 1)),
    ];
    const summary = summarise(samples, containers, 0, 7000);
    expect(summary).toMatchObject({
      measured: true,
      value: { gaps: ['no memory sample of redis for 6.0 s'] },
    });
  });

  test('is not measured without any sample', () => {
    expect(summarise([], containers, 0, 1000)).toEqual({ measured: false, reason: 'no memory sample came' });
  });
});
