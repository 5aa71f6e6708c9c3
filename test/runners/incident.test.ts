import { describe, expect, test } from '@jest/globals';
import type { Crash, RunRecord, SuiteRecord } from '../../runners/report/record.js';
import { incidentRows, problemsOfIncident, problemsOfRemedy, slowDelivery } from '../helpers/incident.js';
import { runRecord, suiteRecord } from './support/records.js';

const kill: Crash = { service: 'backend', kind: 'oom', evidence: 'the engine reported an OOM kill in it' };
const failure: Partial<SuiteRecord> = {
  outcome: { kind: 'failed', reason: '1 of 1 tests failed' },
  tests: [{ name: 'answers', status: 'failed', durationMs: 1, failure: 'the connection broke' }],
  crashes: { measured: true, value: [kill] },
};
const explained: RunRecord['diagnosis'] = [
  {
    suite: 'chat',
    chain: [{ rule: 'symptom', says: 'chat failed', evidence: [{ kind: 'outcome', text: 'it' }], link: '' }],
    conclusion: { kind: 'explained' },
  },
];
const incident = (suite: Partial<SuiteRecord> = {}, changes: Partial<RunRecord> = {}): RunRecord =>
  runRecord([suiteRecord({ ...failure, ...suite })], { diagnosis: explained, ...changes });

describe('the incident', () => {
  test('is a suite that failed, an OOM kill and a chain between them', () => {
    expect(problemsOfIncident(incident())).toEqual([]);
  });

  test.each<[string, RunRecord, string[]]>([
    [
      'everything holds',
      runRecord([suiteRecord()]),
      ['the verdict is "go"', 'the kernel killed nothing in backend', 'no suite failed'],
    ],
    [
      'another service was killed',
      incident({ crashes: { measured: true, value: [{ ...kill, service: 'auth' }] } }),
      ['the kernel killed nothing in backend'],
    ],
    [
      'the backend ended for another reason',
      incident({ crashes: { measured: true, value: [{ ...kill, kind: 'exit' }] } }),
      ['the kernel killed nothing in backend'],
    ],
    [
      'the diagnosis is silent',
      incident({}, { diagnosis: [] }),
      ["chat failed, and the diagnosis doesn't say why"],
    ],
    [
      'the cause is unknown',
      incident(
        {},
        { diagnosis: explained.map((one) => ({ ...one, conclusion: { kind: 'unknown', evidence: [] } })) },
      ),
      ["chat failed, and the diagnosis doesn't say why"],
    ],
  ])('it is not when %s', (_, record, problems) => {
    expect(problemsOfIncident(record)).toEqual(problems);
  });
});

const slow: Partial<SuiteRecord> = {
  latency: { measured: true, value: { count: 500, users: 10, p50Ms: 60, p99Ms: 340, maxMs: 900 } },
};

describe('the remedy', () => {
  test('is a go', () => {
    const record = runRecord([suiteRecord()]);
    expect([problemsOfRemedy(record), slowDelivery(record)]).toEqual([[], undefined]);
  });

  test('is one too when events are late and nothing else is wrong, and says so', () => {
    const record = runRecord([suiteRecord(slow)]);
    expect([problemsOfRemedy(record), slowDelivery(record)]).toEqual([[], 'at or above it: chat']);
  });

  test('is none when a suite fails, a service is killed, or the limits are above 14 GB', () => {
    const { environment } = runRecord([suiteRecord()]);
    const record = incident(slow, { environment: { ...environment, limitMb: 14337, budgetMb: 15000 } });
    expect(problemsOfRemedy(record)).toEqual([
      'the limits add up to 14337 MiB, 14336 MiB are allowed',
      'suites pass: failed, chat failed',
      expect.stringContaining('no crash, no OOM kill: failed'),
    ]);
  });
});

test('the table has both acts, and a question mark for what nobody measured', () => {
  const unmeasured = { measured: false, reason: 'the environment did not come up' } as const;
  const before = incident({ memory: unmeasured, latency: unmeasured });
  const { head, rows } = incidentRows(before, runRecord([suiteRecord(slow)]));
  expect(rows.every((row) => row.length === head.length)).toBe(true);
  expect(Object.fromEntries(rows.map(([name, ...figures]) => [name, figures]))).toMatchObject({
    'peak of backend, MiB': ['?', '200'],
    'OOM kills in backend': ['?', '0'],
    'suites passed': ['0 of 1', '1 of 1'],
    'event delivery, p99, ms': ['?', '340'],
    verdict: ['no-go', 'no-go'],
  });
});
