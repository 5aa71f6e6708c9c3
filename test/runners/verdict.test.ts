import { describe, expect, test } from '@jest/globals';
import { exitCodeOf, exitCodes } from '../../runners/exit-codes.js';
import type { SuiteRecord } from '../../runners/report/record.js';
import { runRecord, suiteRecord } from './support/records.js';

const unmeasured = { measured: false, reason: 'it was lost' } as const;
const good = suiteRecord();
/** What is measured well in a good suite, changed. */
const measured = <Key extends 'memory' | 'latency' | 'clock'>(
  key: Key,
  changes: object,
): SuiteRecord[Key] => {
  const known = good[key];
  if (!known.measured) throw new Error(`${key} isn't measured`);
  return { measured: true, value: { ...known.value, ...changes } } as SuiteRecord[Key];
};
const memory = (changes: object): SuiteRecord['memory'] => measured('memory', changes);
const latency = (changes: object): SuiteRecord['latency'] => measured('latency', changes);
const clock = (changes: object): SuiteRecord['clock'] => measured('clock', changes);
const only = (service: string, peakMb: number): object =>
  good.memory.measured
    ? { services: { ...good.memory.value.services, [service]: { limitMb: 96, peakMb } } }
    : {};

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
    change: { latency: latency({ p99Ms: 100 }) },
    metric: 'event delivery, p99',
    result: 'failed',
    reason: 'at or above it: chat',
  },
  {
    about: 'events that are late also without the times in which the suite stood still',
    change: { latency: latency({ p99Ms: 130, stalls: { longestMs: 30, p99WithoutMs: 100 } }) },
    metric: 'event delivery, p99',
    result: 'failed',
    reason: 'at or above it: chat',
  },
  {
    about: 'events that are late because the suite stood still',
    change: { latency: latency({ p99Ms: 130, stalls: { longestMs: 117.3, p99WithoutMs: 31 } }) },
    metric: 'event delivery, p99',
    result: 'not proven',
    reason:
      'chat: 130.0 ms, but 31.0 ms without the times in which the suite itself stood still, up to 117 ms: ' +
      'the machine was too busy to tell',
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
    about: 'as few events as show no 99th percentile',
    change: { latency: latency({ count: 99 }) },
    metric: 'event delivery, p99',
    result: 'not proven',
    reason: 'chat: 99 events are too few for a 99th percentile, 100 are enough',
  },
  {
    about: 'events of fewer users than were at work',
    change: { latency: latency({ users: 9 }) },
    metric: 'event delivery, p99',
    result: 'not proven',
    reason: 'chat: events of 9 of 10 users',
  },
  {
    about: 'latencies that are no number',
    change: { latency: latency({ p99Ms: NaN }) },
    metric: 'event delivery, p99',
    result: 'not proven',
    reason: 'chat: the 99th percentile is no number',
  },
  {
    about: 'latencies from a clock ahead of ours',
    change: { clock: clock({ engineAheadMs: 52.3 }) },
    metric: 'event delivery, p99',
    result: 'not proven',
    reason: "chat: the engine's clock was 52 ms ahead of ours",
  },
  {
    about: 'a clock that was set while events were delivered',
    change: { clock: clock({ setByMs: 300 }) },
    metric: 'event delivery, p99',
    result: 'not proven',
    reason: 'chat: our clock was set by 300 ms meanwhile',
  },
  {
    about: "latencies that a host's clock, known only so well, may make too small",
    change: { clock: clock({ host: { aheadMs: 300, uncertaintyMs: 80.1 } }) },
    metric: 'event delivery, p99',
    result: 'not proven',
    reason: "chat: the host's clock is known to within 80.1 ms only, which may hide a p99 of 100 ms",
  },
  {
    about: 'clocks that nobody compared',
    change: { clock: unmeasured },
    metric: 'event delivery, p99',
    result: 'not proven',
    reason: "chat: the clocks weren't compared: it was lost",
  },
  {
    about: 'damaged latencies of a suite that need not record any',
    change: { latency: unmeasured, measuresDelivery: true },
    metric: 'event delivery, p99',
    result: 'not proven',
    reason: 'chat: it was lost',
  },
  {
    about: 'a suite that passed without a test',
    change: { tests: [] },
    metric: 'suites pass',
    result: 'not proven',
    reason: 'chat passed without its tests',
  },
  {
    about: 'a suite that passed with a skipped test',
    change: { tests: [...good.tests, { name: 'b', status: 'skipped', durationMs: 0 }] },
    metric: 'suites pass',
    result: 'not proven',
    reason: 'chat passed without its tests',
  },
  {
    about: 'a suite that passed later than its timeout',
    change: { durations: { totalMs: 90_000, suiteMs: 60_001 } },
    metric: 'suites inside their timeouts',
    result: 'failed',
    reason: 'chat took more than 60 s',
  },
  {
    about: 'a suite whose time was not taken',
    change: { durations: { totalMs: 90_000, suiteMs: NaN } },
    metric: 'suites inside their timeouts',
    result: 'not proven',
    reason: 'chat: nobody knows how long it took',
  },
  {
    about: 'a service without a memory figure',
    change: { memory: memory({ services: {} }), measuresDelivery: false },
    metric: 'memory within the budget',
    result: 'not proven',
    reason: 'chat: no peak of postgres, redis, clickhouse, pgbouncer, llm, auth, backend, frontend',
  },
  {
    about: 'a service that used no memory at all',
    change: { memory: memory(only('redis', 0)) },
    metric: 'memory within the budget',
    result: 'not proven',
    reason: 'chat: no peak of redis',
  },
  {
    about: 'a peak that is no number',
    change: { memory: memory({ peakMb: NaN }) },
    metric: 'memory within the budget',
    result: 'not proven',
    reason: 'chat: no peak of all together',
  },
  {
    about: 'a suite that ran in nothing',
    change: { destruction: { kind: 'nothing made' } },
    metric: 'everything destroyed',
    result: 'failed',
    reason: 'chat: nothing made',
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
    change: { destruction: { kind: 'kept', command: 'destroy it', until: '2026-01-01T02:00:00Z' } },
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
    const beside = suiteRecord({ name: 'beside', measuresDelivery: false, latency: unmeasured });
    const { verdict } = runRecord([beside, suiteRecord(change)]);
    expect(verdict.decision).toBe('no-go');
    expect(verdict.partial).toBe(false);
    expect(verdict.metrics).toContainEqual(expect.objectContaining({ name: metric, result, reason }));
  });

  test.each([
    ['a suite without a record', { chosen: ['chat', 'lost'] }, 'lost was chosen and has 0 records'],
    [
      'a record of a suite that was not chosen',
      { suites: [good, suiteRecord({ name: 'x' })] },
      'x ran and was not chosen',
    ],
    ['a suite with two records', { suites: [good, good] }, 'chat was chosen and has 2 records'],
  ])('is no-go, and not because it is partial, for %s', (_, changes, reason) => {
    const { verdict } = runRecord([good], { chosen: ['chat'], ...changes });
    expect(verdict).toMatchObject({ decision: 'no-go', partial: false });
    expect(verdict.metrics[0]).toMatchObject({ result: 'failed', reason });
  });

  test("is go with a host's clock that is far off, as long as that is known well", () => {
    const record = suiteRecord({
      clock: clock({ engineAheadMs: 3_600_000, host: { aheadMs: 3_600_000, uncertaintyMs: 2 } }),
    });
    expect(runRecord([record]).verdict.decision).toBe('go');
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
      latency: latency({ p99Ms: 99.4 }),
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
