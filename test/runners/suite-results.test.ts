import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseLatencies, readResults } from '../../runners/suite-results.js';

const line = (emittedAt: number, latencyMs: number, receivedAt = emittedAt + latencyMs): string =>
  JSON.stringify({ type: 'agent_started', runId: 'r', seq: 1, emittedAt, receivedAt, latencyMs });

describe('latencies', () => {
  test('give percentiles that were measured', () => {
    const text = Array.from({ length: 200 }, (_, index) => line(1e12, index + 1)).join('\n');
    expect(parseLatencies(`${text}\n`)).toEqual({ count: 200, p50Ms: 100, p99Ms: 198, maxMs: 200 });
  });

  test.each([
    ['none', '', 'no event was recorded'],
    ['a line cut short', `${line(1e12, 1)}\n{"type":"ag`, 'line 2 is damaged'],
    ['a latency of another clock', line(1e12, -40), 'two clocks that differ'],
    ['a latency that was made up', line(1e12, 5, 1e12 + 500), "isn't the time between emit and receipt"],
  ])('with %s are refused', (_, text, message) => {
    expect(() => parseLatencies(text)).toThrow(message);
  });
});

describe('results of a suite', () => {
  const folder = (): Promise<string> => mkdtemp(path.join(tmpdir(), 'results-'));

  test('that were not written are not measured', async () => {
    expect(await readResults(await folder(), 'chat')).toEqual({
      tests: { measured: false, reason: 'tests.json: the suite did not write it' },
      latency: { measured: false, reason: 'latencies.jsonl: the suite did not write it' },
    });
  });

  test.each([
    ['are of another suite', '{"suite":"other","tests":[]}', 'it is of the suite other'],
    ['are cut short', '{"suite":"chat","te', 'JSON'],
    [
      'have a status of their own',
      '{"suite":"chat","tests":[{"name":"a","status":"fine","durationMs":1}]}',
      'tests.0.status',
    ],
  ])('that %s are not measured', async (_, text, reason) => {
    const results = await folder();
    await writeFile(path.join(results, 'tests.json'), text);
    const { tests } = await readResults(results, 'chat');
    expect(tests).toEqual({ measured: false, reason: expect.stringContaining(reason) });
  });
});
