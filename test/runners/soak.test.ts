import { describe, expect, test } from '@jest/globals';
import type { SuiteRecord } from '../../runners/report/record.js';
import { soakLine, soakResultOf, soakRows, type SoakResult } from '../helpers/soak.js';
import { runRecord, suiteRecord } from './support/records.js';

/** A run of one suite, as the soak makes it. */
const resultOf = (changes: Partial<SuiteRecord>): SoakResult =>
  soakResultOf(runRecord([suiteRecord(changes)], { notChosen: ['others'] }));
const p99 = (p99Ms: number): Partial<SuiteRecord> => ({
  latency: { measured: true, value: { count: 500, users: 10, p50Ms: 3, p99Ms, maxMs: 300 } },
});

describe('a run of a soak', () => {
  test('is good although the other suites were not chosen', () => {
    expect(resultOf({})).toEqual({ suite: 'chat', kind: 'good', reason: '', suiteMs: 9000, p99Ms: 20 });
  });

  test('is slow, and not failed, when nothing but the delivery is too late', () => {
    expect(resultOf(p99(140))).toMatchObject({
      kind: 'slow',
      reason: 'event delivery, p99: at or above it: chat',
    });
  });

  test.each<[string, Partial<SuiteRecord>, string]>([
    [
      'a test failed',
      {
        outcome: { kind: 'failed', reason: '1 of 1 tests failed' },
        tests: [{ name: 'answers', status: 'failed', durationMs: 1, failure: 'it did not' }],
      },
      'failed: answers\nit did not',
    ],
    ['latencies are missing', { latency: { measured: false, reason: 'no file' } }, 'chat: no file'],
    [
      'something was left over as well as slow',
      { ...p99(140), destruction: { kind: 'failed', message: 'locked', command: 'x' } },
      'everything destroyed: chat: failed',
    ],
  ])('is failed when %s', (_, changes, reason) => {
    expect(resultOf(changes)).toMatchObject({ kind: 'failed', reason: expect.stringContaining(reason) });
  });
});

test('a soak counts and ranges per suite', () => {
  const result = (suite: string, kind: SoakResult['kind'], suiteMs?: number, p99Ms?: number): SoakResult => ({
    suite,
    kind,
    reason: '',
    ...(suiteMs === undefined ? {} : { suiteMs }),
    ...(p99Ms === undefined ? {} : { p99Ms }),
  });
  const results = [
    result('one', 'good', 3000, 12),
    result('two', 'failed'),
    result('one', 'slow', 1000, 120),
    result('one', 'good', 2000, 11),
  ];
  expect(soakRows(results).rows).toEqual([
    ['one', '3', '0', '1', '1.0', '2.0', '3.0', '11.0', '12.0', '120.0'],
    ['two', '1', '1', '0', '-', '-', '-', '-', '-', '-'],
  ]);
  expect(soakLine(results, 10)).toBe('4 of 10 runs: 2 good, 1 failed, 1 passed with a p99 too high');
});
