import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { HostClock } from '../../engine/ssh/clock.js';
import { readResults } from '../../runners/suite-results.js';
import { temporaryFolder } from '../helpers/temporary.js';

/** When the suite ran. */
const ran = { startMs: 1e12, endMs: 1e12 + 60_000 };

const line = (changes: object = {}): string =>
  JSON.stringify({
    type: 'agent_started',
    userId: 'u',
    runId: 'r',
    seq: 1,
    ...delivered(ran.startMs + 5_000, 1),
    ...changes,
  });
const delivered = (emittedAt: number, latencyMs: number): object => ({
  emittedAt,
  receivedAt: emittedAt + latencyMs,
  latencyMs,
});

async function resultsOf(files: Record<string, string>, hostClock?: HostClock) {
  const folder = temporaryFolder('results');
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, name), text);
  return readResults(folder, { suite: 'chat', users: 2, ...ran, hostClock });
}

const latencyOf = async (text: string, hostClock?: HostClock) =>
  (await resultsOf({ 'latencies.jsonl': text }, hostClock)).latency;

describe('latencies', () => {
  test.each([
    ['ahead of', 3_600_000],
    ['behind', -3_600_000],
  ])('of a host whose clock is an hour %s ours are corrected by it', async (_, aheadMs) => {
    // Both stamps are the moments' own, each by its clock.
    const emittedAt = ran.startMs + 5_000 + aheadMs;
    const text = line({ emittedAt, receivedAt: ran.startMs + 5_004, latencyMs: 4 - aheadMs });
    expect(await latencyOf(text, { aheadMs, uncertaintyMs: 1 })).toMatchObject({ value: { p99Ms: 4 } });
    expect(await latencyOf(text)).toMatchObject({ measured: false });
  });

  test('may be negative by as much as the clocks are uncertain, and no more', async () => {
    const text = line(delivered(ran.startMs + 5_000, -6));
    const host = (uncertaintyMs: number): HostClock => ({ aheadMs: 0, uncertaintyMs });
    expect(await latencyOf(text, host(5))).toMatchObject({ measured: true });
    expect(await latencyOf(text, host(4))).toMatchObject({
      measured: false,
      reason: 'latencies.jsonl: line 1: received 6 ms before it was emitted: two clocks that differ',
    });
  });

  test('give percentiles that were measured', async () => {
    const lines = Array.from({ length: 200 }, (_, index) =>
      line({
        userId: `user ${String(index % 2)}`,
        seq: index,
        ...delivered(ran.startMs + index, index + 1),
      }),
    );
    expect(await latencyOf(`${lines.join('\n')}\n`)).toEqual({
      measured: true,
      value: { count: 200, users: 2, p50Ms: 100, p99Ms: 198, maxMs: 200 },
    });
  });

  test('tell what they would be if the suite itself had never stood still', async () => {
    const lines = Array.from({ length: 200 }, (_, seq) =>
      line({
        seq,
        ...delivered(ran.startMs + seq, seq < 100 ? 10 : 130),
        ...(seq < 100 ? {} : { stalledMs: 117.5 }),
      }),
    );
    expect(await latencyOf(lines.join('\n'))).toMatchObject({
      value: { p99Ms: 130, stalls: { longestMs: 117.5, p99WithoutMs: 12.5 } },
    });
    // Never less than nothing, whatever the clocks are.
    expect(await latencyOf(line({ ...delivered(ran.startMs, 2), stalledMs: 40 }))).toMatchObject({
      value: { p99Ms: 2, stalls: { longestMs: 2, p99WithoutMs: 0 } },
    });
  });

  test('have as many users as the test that has the fewest', async () => {
    const of = (name: string, userId: string): string => line({ test: name, userId });
    const text = [of('a', 'u'), of('a', 'v'), of('b', 'v'), of('b', 'v')].join('\n');
    expect(await latencyOf(text)).toMatchObject({ value: { users: 1 } });
    const complete = [text, of('b', 'u')].join('\n');
    expect(await latencyOf(complete)).toMatchObject({ value: { users: 2 } });
  });

  test('count an event once, however many devices received it', async () => {
    const twice = [line(), line(delivered(ran.startMs + 5_000, 3)), line({ seq: 2 })].join('\n');
    expect(await latencyOf(twice)).toMatchObject({ value: { count: 2, users: 1, maxMs: 3 } });
  });

  test.each([
    ['none', '', 'no event was recorded'],
    ['a line cut short', `${line()}\n{"type":"ag`, 'line 2 is damaged'],
    ['no user', line({ userId: undefined }), 'line 1 is damaged'],
    ['a figure that is no number', line({ latencyMs: null }), 'line 1 is damaged'],
    ['an infinite figure', line().replace('"latencyMs":1', '"latencyMs":1e999'), 'line 1 is damaged'],
    [
      'a clock that is ahead of ours',
      line(delivered(ran.startMs + 5_000, -40)),
      'line 1: received 40 ms before it was emitted: two clocks that differ',
    ],
    [
      'a clock that drifts ahead of ours',
      [20, 10, 0, -10].map((latencyMs) => line(delivered(ran.startMs + 5_000, latencyMs))).join('\n'),
      'line 4: received 10 ms before it was emitted: two clocks that differ',
    ],
    [
      'a clock that is far behind ours',
      line(delivered(ran.startMs - 3_600_000, 3_605_000)),
      'line 1: emitted 3600.0 s before the suite began: another clock or another run',
    ],
    [
      "an older run's events",
      [line(), line(delivered(ran.startMs - 30_000, 1))].join('\n'),
      'line 2: emitted 30.0 s before the suite began: another clock or another run',
    ],
    [
      "a later run's events",
      line(delivered(ran.endMs + 2_000, 1)),
      'line 1: received 2.0 s after the suite ended: another clock or another run',
    ],
    [
      'a latency that was made up',
      line({ latencyMs: 0.1, receivedAt: ran.startMs + 5_500 }),
      "line 1: the latency isn't the time between emit and receipt",
    ],
  ])('with %s are not measured', async (_, text, reason) => {
    expect(await latencyOf(text)).toEqual({ measured: false, reason: `latencies.jsonl: ${reason}` });
  });
});

describe('results of a suite', () => {
  test('that were not written are not measured', async () => {
    expect(await resultsOf({})).toEqual({
      tests: { measured: false, reason: 'tests.json: the suite did not write it' },
      latency: { measured: false, reason: 'latencies.jsonl: the suite did not write it' },
      wroteLatencies: false,
    });
  });

  test('count as written, also when they are damaged', async () => {
    expect(await resultsOf({ 'latencies.jsonl': '{' })).toMatchObject({ wroteLatencies: true });
  });

  const tests = (...results: object[]): string => JSON.stringify({ suite: 'chat', users: 2, tests: results });
  const good = { name: 'a', status: 'passed', durationMs: 1 };

  test('keep two tests of one name apart', async () => {
    const results = await resultsOf({ 'tests.json': tests(good, { ...good, status: 'failed' }) });
    expect(results.tests).toEqual({ measured: true, value: [good, { ...good, status: 'failed' }] });
  });

  test.each([
    ['are empty', '', 'JSON'],
    ['are of another suite', tests().replace('chat', 'other'), 'it is of the suite other'],
    ['are of fewer users', tests().replace('2', '1'), 'it is of 1 users, asked for were 2'],
    ["don't say of how many users", '{"suite":"chat","tests":[]}', 'users'],
    ['are cut short', tests(good).slice(0, -5), 'JSON'],
    ['have a status of their own', tests({ ...good, status: 'fine' }), 'tests.0.status'],
    ['took less than no time', tests(good, { ...good, durationMs: -1 }), 'tests.1.durationMs'],
    ["don't say how long they took", tests({ ...good, durationMs: NaN }), 'tests.0.durationMs'],
  ])('that %s are not measured', async (_, text, reason) => {
    const results = await resultsOf({ 'tests.json': text });
    expect(results.tests).toEqual({ measured: false, reason: expect.stringContaining(reason) });
  });
});
