import { describe, expect, test } from '@jest/globals';
import type { Crash, Memory, RunRecord, SuiteRecord } from '../../runners/report/record.js';
import { findingOf, type Harmed } from '../chaos/support/oom-findings.js';
import { seededRandom, shuffled } from '../chaos/support/random.js';
import { runRecord, suiteRecord } from './support/records.js';

const suite = 'killed-at-once-auth';
const memory = { limitMb: 192, peakMb: 31, kernelPeakMb: 192 };
const oom: Crash = {
  service: 'auth',
  kind: 'oom',
  exitCode: 137,
  evidence: 'the engine reported it',
  memory,
};
const fault = { at: '2026-01-02T03:04:05.000Z', service: 'auth', what: 'it ended', endedAfterMs: 158 };
const dead: Partial<SuiteRecord> = {
  name: suite,
  outcome: { kind: 'failed', reason: 'auth oom' },
  crashes: { measured: true, value: [oom] },
  fault,
};
const because = (rule: string): RunRecord['diagnosis'] => [
  {
    suite,
    chain: [{ rule, says: 'so it was', evidence: [{ kind: 'event', text: 'seen' }], link: '' }],
    conclusion: { kind: 'explained' },
  },
];
const ended: Harmed = { suite, service: 'auth', harm: { kind: 'oom', ends: true, kills: 1 } };
const survived: Harmed = { ...ended, harm: { ...ended.harm, ends: false, kills: 3 } };
const stopped: Harmed = { ...ended, harm: { kind: 'killed', ends: true, kills: 0 } };

const problems = (
  harmed: Harmed,
  changes: Partial<SuiteRecord>,
  diagnosis: RunRecord['diagnosis'] = because('oom-kill'),
): string[] => findingOf(harmed, runRecord([suiteRecord({ ...dead, ...changes })], { diagnosis })).problems;

const counted = (oomKills: number): Memory => ({
  sampleCount: 80,
  peakMb: 600,
  gaps: [],
  services: { auth: { limitMb: 192, peakMb: 31, oomKills } },
});

describe('what a record says of an OOM kill', () => {
  test('is as it should be', () => {
    expect(findingOf(ended, runRecord([suiteRecord(dead)], { diagnosis: because('oom-kill') }))).toEqual({
      problems: [],
      named: 'auth oom',
      limitMb: 192,
      peakMb: 31,
      endedAfterMs: 158,
    });
  });

  test.each<[string, Partial<SuiteRecord>, string]>([
    ['nothing is named', { crashes: { measured: true, value: [] } }, "it isn't named: nothing is"],
    [
      'it is named as another',
      { crashes: { measured: true, value: [{ ...oom, kind: 'exit' }] } },
      "it isn't named: auth exit",
    ],
    [
      'another is named as well',
      { crashes: { measured: true, value: [oom, { ...oom, service: 'redis' }] } },
      'redis is named oom',
    ],
    [
      'the limit is missing',
      { crashes: { measured: true, value: [{ ...oom, memory: undefined }] } },
      'its limit is undefined, not 192',
    ],
    [
      'there is no peak',
      { crashes: { measured: true, value: [{ ...oom, memory: { ...memory, peakMb: 0 } }] } },
      'it has no peak',
    ],
    ['the suite passed', { outcome: { kind: 'passed' } }, 'the suite passed instead of failed'],
    ['the fault is missing', { fault: undefined }, 'the fault is none'],
    ["the crashes aren't known", { crashes: { measured: false, reason: 'broken off' } }, 'broken off'],
    ['the environment is kept', { destruction: { kind: 'nothing made' } }, 'destroyed: nothing made'],
  ])('is wrong when %s', (_, changes, problem) => {
    expect(problems(ended, changes).join('\n')).toContain(problem);
  });

  test('is wrong when the diagnosis tells of none', () => {
    expect(problems(ended, {}, because('symptom'))).toEqual(['the diagnosis tells of no OOM kill']);
    expect(problems(ended, {}, [])).toEqual(['it has no diagnosis']);
  });

  test('is wrong when the record lacks the suite', () => {
    const record = runRecord([suiteRecord()], { diagnosis: because('oom-kill') });
    expect(findingOf(ended, record).problems).toEqual(['the record lacks the suite']);
  });

  test('that was survived counts every kill', () => {
    const alive: Partial<SuiteRecord> = {
      outcome: { kind: 'passed' },
      crashes: { measured: true, value: [{ ...oom, exitCode: undefined }] },
      fault: undefined,
    };
    const withKills = (count: number): string[] =>
      problems(survived, { ...alive, memory: { measured: true, value: counted(count) } });
    expect(withKills(3)).toEqual([]);
    expect(withKills(2)).toEqual(['2 kills were counted instead of 3']);
  });
});

describe('what a record says of docker stop -t 0', () => {
  const killed: Crash = { ...oom, kind: 'killed', evidence: 'signal 9 was sent to it through the engine' };
  const unfair: Partial<SuiteRecord> = {
    outcome: { kind: 'errored', phase: 'suite', message: 'auth killed' },
    crashes: { measured: true, value: [killed] },
  };

  test('is as it should be', () => {
    expect(problems(stopped, unfair, because('symptom'))).toEqual([]);
  });

  test.each<Crash['kind']>(['oom', 'host oom', 'exhausted'])('is wrong when %s is named', (kind) => {
    const instead = problems(stopped, { ...unfair, crashes: { measured: true, value: [{ ...oom, kind }] } });
    expect(instead).toContain(`auth is named ${kind}: the engine reported it`);
    const besides = { ...killed, kind, service: 'redis' };
    expect(
      problems(stopped, { ...unfair, crashes: { measured: true, value: [killed, besides] } }).join('\n'),
    ).toContain(`redis is named ${kind}`);
  });

  test('is wrong when the diagnosis tells of an OOM kill', () => {
    expect(problems(stopped, unfair)).toEqual(['the diagnosis tells of an OOM kill']);
  });
});

describe('chance', () => {
  test('is the same for the same seed, and another for another', () => {
    const numbers = (seed: number): number[] => Array.from({ length: 20 }, seededRandom(seed));
    expect(numbers(7)).toEqual(numbers(7));
    expect(numbers(7)).not.toEqual(numbers(8));
    expect(numbers(7).every((number) => number >= 0 && number < 1)).toBe(true);
  });

  test('brings every order about, about as often as any other', () => {
    const random = seededRandom(1);
    const counts = new Map<string, number>();
    for (let time = 0; time < 6_000; time += 1) {
      const order = shuffled(['a', 'b', 'c'], random).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(['abc', 'acb', 'bac', 'bca', 'cab', 'cba']);
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  test('leaves the items as they were', () => {
    const items = [1, 2, 3, 4, 5];
    expect(shuffled(items, seededRandom(3)).toSorted()).toEqual(items);
    expect(items).toEqual([1, 2, 3, 4, 5]);
  });
});
