import { describe, expect, test } from '@jest/globals';
import { rules } from '../../../runners/diagnosis/rules.js';
import type { Change, Diagnosis } from '../../../runners/report/diagnosis-schema.js';
import type { SuiteRecord } from '../../../runners/report/record.js';
import { readRecording } from '../../helpers/recording.js';
import { chainsOf, changed, diagnosed, names, of, setting, withMemory } from '../support/diagnosed.js';

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
    { name: 'unknown-worker', seen: 'worker died' },
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

test('a recommendation is the same whatever the kernel says of page cache', () => {
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
  for (const { name, recommended } of explained) expect(changed(name, full).recommended).toEqual(recommended);
});
