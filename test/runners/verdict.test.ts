import { describe, expect, test } from '@jest/globals';
import { exitCodeOf, exitCodes } from '../../runners/exit-codes.js';
import type { SuiteRecord } from '../../runners/report/record.js';
import { runRecord, suiteRecord } from './support/records.js';

const unmeasured = { measured: false, reason: 'it was lost' } as const;
const memory = (changes: object): SuiteRecord['memory'] => ({
  measured: true,
  value: { sampleCount: 1, peakMb: 600, gaps: [], services: {}, ...changes },
});

interface Case {
  about: string;
  change: Partial<SuiteRecord>;
  metric: string;
  result: 'failed' | 'not proven';
  reason: string;
}

const cases: Case[] = [
  {
    about: 'a failed suite',
    change: { outcome: { kind: 'failed', reason: '1 of 3 tests failed' } },
    metric: 'suites pass',
    result: 'failed',
    reason: 'chat failed',
  },
  {
    about: 'a suite that took too long',
    change: { outcome: { kind: 'timed out', timeoutMs: 60_000 } },
    metric: 'suites inside their timeouts',
    result: 'failed',
    reason: 'chat took more than 60 s',
  },
  {
    about: 'a harness error',
    change: { outcome: { kind: 'errored', phase: 'up', message: 'no' }, durations: { totalMs: 1 } },
    metric: 'suites pass',
    result: 'not proven',
    reason: 'chat errored',
  },
  {
    about: 'a suite that did not run',
    change: { outcome: { kind: 'not run', reason: 'interrupted' }, durations: { totalMs: 0 } },
    metric: 'suites inside their timeouts',
    result: 'not proven',
    reason: 'chat did not run to its end',
  },
  {
    about: 'an interrupted suite',
    change: { outcome: { kind: 'interrupted', phase: 'suite' } },
    metric: 'suites inside their timeouts',
    result: 'not proven',
    reason: 'chat did not run to its end',
  },
  {
    about: 'memory above the budget',
    change: { memory: memory({ peakMb: 1793 }) },
    metric: 'memory within the budget',
    result: 'failed',
    reason: 'above it: chat',
  },
  {
    about: 'memory that was not measured',
    change: { memory: unmeasured },
    metric: 'memory within the budget',
    result: 'not proven',
    reason: 'chat: it was lost',
  },
  {
    about: 'a gap between memory samples',
    change: { memory: memory({ gaps: ['no memory sample of redis for 9.0 s'] }) },
    metric: 'memory within the budget',
    result: 'not proven',
    reason: 'chat: no memory sample of redis for 9.0 s',
  },
  {
    about: 'an OOM kill',
    change: {
      crashes: {
        measured: true,
        value: [{ service: 'backend', kind: 'oom', evidence: 'its state says OOMKilled' }],
      },
    },
    metric: 'no crash, no OOM kill',
    result: 'failed',
    reason: 'chat: backend oom (its state says OOMKilled)',
  },
  {
    about: 'crashes that were not watched for',
    change: { crashes: unmeasured },
    metric: 'no crash, no OOM kill',
    result: 'not proven',
    reason: 'chat: it was lost',
  },
  {
    about: 'late events',
    change: { latency: { measured: true, value: { count: 9, p50Ms: 1, p99Ms: 100, maxMs: 300 } } },
    metric: 'event delivery, p99',
    result: 'failed',
    reason: 'at or above it: chat',
  },
  {
    about: 'latencies that are missing',
    change: { latency: unmeasured },
    metric: 'event delivery, p99',
    result: 'not proven',
    reason: 'chat: it was lost',
  },
  {
    about: 'latencies that no suite records',
    change: { latency: unmeasured, measuresDelivery: false },
    metric: 'event delivery, p99',
    result: 'not proven',
    reason: 'no suite of this run records it',
  },
  {
    about: 'a failed destroy',
    change: { destruction: { kind: 'failed', message: 'locked', command: 'destroy it' } },
    metric: 'everything destroyed',
    result: 'failed',
    reason: 'chat: failed',
  },
  {
    about: 'something left over',
    change: { destruction: { kind: 'left over', leftovers: [{ kind: 'volume', name: 'v' }] } },
    metric: 'everything destroyed',
    result: 'failed',
    reason: 'chat: left over',
  },
  {
    about: 'an environment that was kept',
    change: { destruction: { kind: 'kept', command: 'destroy it' } },
    metric: 'everything destroyed',
    result: 'failed',
    reason: 'chat: kept',
  },
];

describe('verdict', () => {
  test('is go when every metric was measured and holds', () => {
    const record = runRecord([suiteRecord(), suiteRecord({ name: 'other' })]);
    expect(record.verdict.metrics.filter(({ result }) => result !== 'ok')).toEqual([]);
    expect(record.verdict.decision).toBe('go');
    expect(exitCodeOf(record)).toBe(exitCodes.go);
  });

  test.each(cases)('is no-go for $about', ({ change, metric, result, reason }) => {
    // The good suite beside it must not outweigh the bad one.
    const good = suiteRecord({ name: 'good', measuresDelivery: false, latency: unmeasured });
    const { verdict } = runRecord([good, suiteRecord(change)]);
    expect(verdict.decision).toBe('no-go');
    expect(verdict.partial).toBe(false);
    expect(verdict.metrics).toContainEqual(expect.objectContaining({ name: metric, result, reason }));
  });

  test('is no-go, and says that it is partial, when a suite was not chosen', () => {
    const record = runRecord([suiteRecord()], { notChosen: ['other'] });
    expect(record.verdict).toMatchObject({ decision: 'no-go', partial: true });
    expect(record.verdict.metrics[0]).toMatchObject({ result: 'not proven', reason: 'not chosen: other' });
    expect(exitCodeOf(record)).toBe(exitCodes.partial);
  });

  test('takes the slowest suite and the largest peak as the figures', () => {
    const slow = suiteRecord({
      name: 'slow',
      latency: { measured: true, value: { count: 1, p50Ms: 50, p99Ms: 99.4, maxMs: 99.4 } },
      memory: memory({ peakMb: 900 }),
    });
    const figures = runRecord([slow, suiteRecord()]).verdict.metrics.map(({ name, figure }) => [
      name,
      figure,
    ]);
    expect(figures).toContainEqual(['event delivery, p99', '99.4 ms']);
    expect(figures).toContainEqual(['memory within the budget', '900 MiB']);
  });
});

describe('exit code', () => {
  const errored = suiteRecord({ outcome: { kind: 'errored', phase: 'up', message: 'no' } });
  const failed = suiteRecord({ outcome: { kind: 'failed', reason: 'no' } });
  const leaking = suiteRecord({
    destruction: { kind: 'left over', leftovers: [{ kind: 'network', name: 'n' }] },
  });

  test.each([
    ['no-go', runRecord([failed]), exitCodes.noGo],
    ['a harness error before a failed suite', runRecord([failed, errored]), exitCodes.harnessError],
    [
      'an interruption before both',
      runRecord([failed, errored], { interrupted: true }),
      exitCodes.interrupted,
    ],
    ['a leak before everything', runRecord([errored, leaking], { interrupted: true }), exitCodes.leak],
  ])('tells %s', (_, record, expected) => {
    expect(exitCodeOf(record)).toBe(expected);
  });
});
