import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { diagnose } from '../../../runners/diagnosis/diagnose.js';
import { rules } from '../../../runners/diagnosis/rules.js';
import type { SuiteRecord } from '../../../runners/report/record.js';
import { readRecording } from '../../helpers/recording.js';
import { chainsOf, changed, names, of, setting, withCrashes, type Result } from '../support/diagnosed.js';
import { runRecord, suiteRecord } from '../support/records.js';

describe('a chain has no link', () => {
  test('to an OOM kill that came at another time than the end', () => {
    const result = changed('kept-per-user', (suite) =>
      withCrashes(suite, (crash) => ({ ...crash, at: '2020-01-01T00:00:00.000Z' })),
    );
    expect(chainsOf(result)).toEqual([
      ['symptom', 'connections-broke', 'process-died'],
      // The kill is told of by itself, and of users whose memory it didn't see nothing is said.
      ['symptom', 'oom-kill', 'unseen-growth'],
    ]);
  });

  test('to an OOM kill when exit code 137 is all there is', () => {
    const result = changed('killed-from-outside', (suite) =>
      withCrashes(suite, ({ service, at }) => ({
        service,
        kind: 'exit',
        exitCode: 137,
        ...(at === undefined ? {} : { at }),
        evidence: 'it ended with exit code 137',
      })),
    );
    expect(chainsOf(result)).toEqual([['symptom', 'service-ended']]);
    expect(result.diagnosis[0]?.conclusion.kind).toBe('unknown');
  });

  test.each([
    ['the run ended the suite for it', 'redis', ['symptom', 'connections-broke', 'service-ended']],
    ['nothing shows that the connections led there', 'auth', ['symptom', 'connections-broke']],
  ])('from broken connections to the end of a store unless it is shown: %s', (_, faulty, chain) => {
    const failure = 'user 1: the connection was closed with 1006';
    const result = changed('unknown-exit', (suite) => ({
      ...suite,
      tests: [{ name: 'chats', status: 'failed', durationMs: 1, failure }],
      fault: { at: suite.fault?.at ?? '', what: '', service: faulty, endedAfterMs: 10 },
    }));
    expect(chainsOf(result)).toEqual([chain]);
  });

  test('to what users cost when that fits the limit', () => {
    const recording = readRecording('kept-per-user');
    const { record } = recording;
    expect(chainsOf(of({ ...recording, record: { ...record, users: 2 } }))[0]?.at(-1)).toBe('unseen-growth');
  });

  test('to a start period when a probe succeeded', () => {
    const recording = readRecording('start-period');
    for (const { llm } of Object.values(recording.artifacts)) {
      for (const probe of llm?.inspect?.State.Health?.Log ?? []) probe.ExitCode = 0;
    }
    expect(chainsOf(of(recording))).toEqual([['symptom', 'unhealthy']]);
  });
});

describe('what is missing breaks nothing', () => {
  test.each(names)("in %s: without what was saved of the services no suite's chain gets longer", (name) => {
    const recording = readRecording(name);
    const lengthOf = ({ diagnosis }: Result, suite: string): number =>
      diagnosis.find((each) => each.suite === suite)?.chain.length ?? 0;
    const bare = of({ ...recording, artifacts: {} });
    const whole = of(recording);
    for (const { suite } of whole.diagnosis) {
      expect(lengthOf(bare, suite)).toBeGreaterThan(0);
      expect(lengthOf(bare, suite)).toBeLessThanOrEqual(lengthOf(whole, suite));
    }
  });

  test.each(names)('in %s: what was not measured is no evidence', (name) => {
    const missing = { measured: false, reason: 'nobody looked' } as const;
    const result = changed(name, (suite) => ({ ...suite, memory: missing, crashes: missing }));
    expect(JSON.stringify(result)).not.toMatch(/"rule":"(oom-kill|v8-heap|kept-per-user|grew-under-load)"/);
    expect(result.recommended).toEqual([]);
  });

  test('a crash of a container that is no service of the environment explains nothing', () => {
    const result = changed('v8-heap', (suite) =>
      withCrashes(suite, (crash) => ({ ...crash, service: 'nobody' })),
    );
    expect(chainsOf(result)).toEqual([['symptom']]);
  });
});

describe('a recommendation', () => {
  test.each([
    ['kept-per-user', 2900, 5],
    // The 20 that its limit holds, shared by five suites.
    ['incident', 9000, 4],
  ])('is fewer users in each suite of %s where the host has %i MiB', (name, memoryMb, to) => {
    const recording = readRecording(name);
    const host = { ...recording.record.host, memoryMb };
    const { recommended } = of({ ...recording, record: { ...recording.record, host } });
    expect(recommended).toEqual([{ kind: 'option', option: '--users', from: 10, to }]);
  });

  test('counts the users of every suite that shares the environment', () => {
    const recording = readRecording('kept-per-user');
    const [suite] = recording.record.suites as [SuiteRecord];
    const other = { ...suite, name: 'another' };
    const { recommended } = of({ ...recording, record: { ...recording.record, suites: [suite, other] } });
    // 126 MiB idle and 20 users of 64 MiB, and a tenth more.
    expect(recommended).toContainEqual(setting('services.backend.memoryMb', 512, 1792));
  });

  test('of several suites has each key once, the largest of each, and the budget for all of them', () => {
    const one = readRecording('kept-per-user');
    const other = readRecording('grew-under-load');
    const record = { ...one.record, suites: [...one.record.suites, ...other.record.suites] };
    expect(of({ ...one, record, artifacts: { ...one.artifacts, ...other.artifacts } }).recommended).toEqual([
      setting('services.backend.memoryMb', 512, 896),
      setting('services.postgres.memoryMb', 256, 576),
      setting('budgetMb', 1792, 2560),
    ]);
  });
});

test('a suite that is good for a "go" has no diagnosis', () => {
  expect(diagnose(runRecord([suiteRecord()]), {})).toEqual({ diagnosis: [], recommended: [] });
});

test('the documentation has each rule as it is', () => {
  const documentation = readFileSync(path.join(import.meta.dirname, '../../../docs/diagnosis.md'), 'utf8');
  const rows = documentation.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  for (const { id, needs, recommends = '' } of rules) {
    expect(rows).toContainEqual(['', `\`${id}\``, needs, recommends, '']);
  }
});
