import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { diagnose } from '../../../runners/diagnosis/diagnose.js';
import { rules } from '../../../runners/diagnosis/rules.js';
import type { Change, Diagnosis } from '../../../runners/report/diagnosis-schema.js';
import type { Crash, SuiteRecord } from '../../../runners/report/record.js';
import { readRecording, recordingsFolder, type Recording } from '../../helpers/recording.js';
import { runRecord, suiteRecord } from '../support/records.js';

const diagnosed = (name: string): Result => of(readRecording(name));
const of = ({ record, artifacts }: Recording): Result => diagnose(record, artifacts);
interface Result {
  diagnosis: Diagnosis[];
  recommended: Change[];
}

/** The rules of each chain, from what was seen to its cause. */
const chainsOf = ({ diagnosis }: Result): string[][] =>
  diagnosis.map(({ chain }) => chain.map(({ rule }) => rule));
const setting = (key: string, from: number | string, to: number | string): Change => ({
  kind: 'setting',
  path: key.split('.'),
  from,
  to,
});

const explained: { name: string; chain: string[]; says: string; recommended: Change[] }[] = [
  {
    name: 'kept-per-user',
    chain: ['symptom', 'connections-broke', 'process-died', 'oom-kill', 'kept-per-user'],
    says: 'backend keeps 64 MiB of each user: 126 MiB idle and 10 users of 64 MiB are 766 MiB, against a limit of 512 MiB',
    recommended: [setting('services.backend.memoryMb', 512, 896), setting('budgetMb', 1792, 2304)],
  },
  {
    name: 'grew-under-load',
    chain: ['symptom', 'connections-broke', 'process-died', 'oom-kill', 'grew-under-load'],
    says: 'it grew from 21 MiB idle to 256 MiB while 10 users were at work',
    recommended: [setting('services.postgres.memoryMb', 256, 576), setting('budgetMb', 1792, 2048)],
  },
  {
    name: 'grew-and-ended',
    chain: ['symptom', 'service-ended', 'oom-kill', 'grew-under-load'],
    says: 'it grew from 31 MiB idle to 187 MiB while 10 users were at work',
    recommended: [setting('services.auth.memoryMb', 192, 448), setting('budgetMb', 1792, 2048)],
  },
  {
    name: 'v8-heap',
    chain: ['symptom', 'service-ended', 'v8-heap'],
    says: "V8's heap limit of 11 MiB was met inside auth: no OOM kill, its container's limit is 192 MiB",
    recommended: [
      setting('services.auth.environment.NODE_OPTIONS', '--max-old-space-size=12', '--max-old-space-size=64'),
    ],
  },
  {
    name: 'redis-maxmemory',
    chain: ['symptom', 'redis-maxmemory'],
    says: 'Redis refused writes at its maxmemory of 1 MiB',
    recommended: [setting('services.redis.maxmemoryMb', 1, 2)],
  },
  {
    name: 'clickhouse-limit',
    chain: ['symptom', 'clickhouse-limit'],
    says: 'ClickHouse refused a query of 388 MiB at its own limit of 307 MiB',
    recommended: [setting('services.clickhouse.memoryMb', 384, 576), setting('budgetMb', 1792, 2048)],
  },
  {
    name: 'postgres-memory',
    chain: ['symptom', 'postgres-memory'],
    says: "a process of PostgreSQL with 226 MiB was refused more: no OOM kill at its container's limit of 512 MiB",
    recommended: [],
  },
  {
    name: 'start-period',
    chain: ['symptom', 'unhealthy', 'start-period'],
    says: 'llm was still starting after 10.2 s: its start period of 5 s is too short',
    recommended: [setting('services.llm.healthCheck.startPeriodSeconds', 5, 120)],
  },
  {
    name: 'too-many-workers',
    chain: ['symptom', 'service-ended', 'oom-kill', 'too-many-workers'],
    says: '12 of its 12 workers had come up when they filled 512 MiB, before there was any user',
    recommended: [setting('services.backend.workers', 12, 9)],
  },
  {
    name: 'killed-from-outside',
    chain: ['symptom', 'killed-from-outside'],
    says: 'postgres was killed from outside the run: it is no finding about memory',
    recommended: [],
  },
  {
    name: 'interrupted',
    chain: ['symptom', 'interrupted'],
    says: 'somebody interrupted the run',
    recommended: [],
  },
];

describe('the recording of', () => {
  test.each(explained)(
    '$name is explained, with evidence for each fact',
    ({ name, chain, says, recommended }) => {
      const result = diagnosed(name);
      expect(chainsOf(result)).toEqual([chain]);
      const [{ chain: facts, conclusion }] = result.diagnosis as [Diagnosis];
      expect(facts.at(-1)?.says).toBe(says);
      expect(conclusion.kind).toBe('explained');
      expect(result.recommended).toEqual(recommended);
      for (const { evidence } of facts) expect(evidence.length).toBeGreaterThan(0);
    },
  );

  test('unseen-growth is explained without a figure, and what the suite lacks besides is unknown', () => {
    const result = diagnosed('unseen-growth');
    expect(chainsOf(result)).toEqual([['symptom'], ['symptom', 'oom-kill', 'unseen-growth']]);
    expect(result.diagnosis.map(({ conclusion: { kind } }) => kind)).toEqual(['unknown', 'explained']);
    expect(result.recommended).toEqual([]);
  });

  test('incident is explained in each of its suites, with one recommendation that stays within 14 GB', () => {
    const recording = readRecording('incident');
    const { diagnosis, recommended } = of(recording);
    const killed = ['oom-kill', 'kept-per-user'];
    expect(chainsOf({ diagnosis, recommended })).toEqual([
      ['symptom', 'connections-broke', 'process-died', ...killed],
      ['symptom', 'connections-broke', 'process-died', ...killed],
      ['symptom', 'connections-broke', 'process-died', ...killed],
      // This one passed: its page came back after the worker did.
      ['symptom', ...killed],
      ['symptom', 'connections-broke', 'process-died', ...killed],
    ]);
    expect(diagnosis[0]?.chain.at(-1)?.says).toBe(
      'backend keeps 85 MiB of each user: 160 MiB idle and 50 users of 85 MiB are 4410 MiB, against a limit of 2048 MiB',
    );
    expect(recommended).toEqual([
      setting('services.backend.memoryMb', 2048, 4864),
      setting('budgetMb', 7680, 10_496),
    ]);
  });

  // These faults were kept out of the rules' making.
  test.each([
    { name: 'unknown-paused', seen: 'it was paused' },
    { name: 'unknown-cut-off', seen: 'it was taken off its network' },
    { name: 'unknown-ill', seen: 'its health check failed too often' },
    { name: 'unknown-exit', seen: 'it ended with exit code 0' },
    { name: 'unknown-assertion', seen: 'expected a basket of 4 articles, got 3' },
    { name: 'unknown-protocol', seen: 'the connection was closed with 1006' },
  ])('$name is unknown, with the evidence that there is', ({ name, seen }) => {
    const { diagnosis, recommended } = diagnosed(name);
    expect(diagnosis.map(({ conclusion: { kind } }) => kind)).toEqual(['unknown']);
    expect(JSON.stringify(diagnosis)).toContain(seen);
    expect(recommended).toEqual([]);
  });

  test('unknown-late-events is unknown for each suite, with the figure', () => {
    const { diagnosis, recommended } = diagnosed('unknown-late-events');
    expect(diagnosis).toHaveLength(4);
    for (const { chain, conclusion } of diagnosis) {
      expect(conclusion.kind).toBe('unknown');
      expect(JSON.stringify(chain)).toMatch(/event delivery, p99: \d+\.\d ms \(limit < 100 ms\)/);
    }
    expect(recommended).toEqual([]);
  });

  test('each rule that ends a chain, and each one on the way, is there', () => {
    const recorded = names.flatMap((name) => chainsOf(diagnosed(name)));
    expect([...new Set(recorded.flat())].sort()).toEqual(['symptom', ...rules.map(({ id }) => id)].sort());
  });
});

type Memory = Extract<SuiteRecord['memory'], { measured: true }>['value'];

/** The recording as it would be with that in its one suite. */
function changed(name: string, change: (suite: SuiteRecord) => SuiteRecord): Result {
  const recording = readRecording(name);
  const suites = recording.record.suites.map(change);
  return of({ ...recording, record: { ...recording.record, suites } });
}
const withCrashes = (suite: SuiteRecord, change: (crash: Crash) => Crash): SuiteRecord => ({
  ...suite,
  crashes: suite.crashes.measured
    ? { measured: true, value: suite.crashes.value.map(change) }
    : suite.crashes,
});
const withMemory = (suite: SuiteRecord, change: (memory: Memory) => Memory): SuiteRecord => ({
  ...suite,
  memory: suite.memory.measured ? { measured: true, value: change(suite.memory.value) } : suite.memory,
});

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

const names = readdirSync(recordingsFolder).map((file) => path.parse(file).name);

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
  test('is the same whatever the kernel says of page cache', () => {
    const full = (suite: SuiteRecord): SuiteRecord =>
      withMemory(suite, (memory) => ({
        ...memory,
        services: Object.fromEntries(
          Object.entries(memory.services).map(([service, own]) => [
            service,
            { ...own, kernelPeakMb: own.limitMb },
          ]),
        ),
      }));
    for (const { name, recommended } of explained)
      expect(changed(name, full).recommended).toEqual(recommended);
  });

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
