import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import type { HostClock } from '../engine/ssh/clock.js';
import { parseJson } from './json.js';
import { testResultSchema, type Latency, type Measured, type TestResult } from './report/record.js';

/** What a suite leaves in its results folder. */
export interface SuiteResults {
  tests: Measured<TestResult[]>;
  latency: Measured<Latency>;
  /** It left a file of latencies, whatever is in it. */
  wroteLatencies: boolean;
}

/** What was asked of the suite, and when it ran by our clock. Results of anything else are none. */
export interface Asked {
  suite: string;
  users: number;
  startMs: number;
  endMs: number;
  /** Of the machine that stamps the events, where it isn't this one: its stamps are read as ours. */
  hostClock?: HostClock | undefined;
}

const testsFileSchema = z.object({
  suite: z.string(),
  users: z.int().positive(),
  tests: z.array(testResultSchema),
});
const latencyLineSchema = z.object({
  test: z.string().optional(),
  userId: z.string().min(1),
  runId: z.string().min(1),
  seq: z.int(),
  emittedAt: z.number(),
  receivedAt: z.number(),
  latencyMs: z.number(),
  stalledMs: z.number().nonnegative().optional(),
});

/** Two readings of one clock, each rounded to a millisecond or finer. */
const clockToleranceMs = 1;
/** An event of another run is off by more than the seconds that an environment takes to come up. */
const runToleranceMs = 1_000;

export async function readResults(folder: string, asked: Asked): Promise<SuiteResults> {
  const [tests, latency] = await Promise.all([
    readMeasured(path.join(folder, 'tests.json'), (text) => parseTests(text, asked)),
    readMeasured(path.join(folder, 'latencies.jsonl'), (text) => parseLatencies(text, asked)),
  ]);
  return { tests: tests.result, latency: latency.result, wroteLatencies: latency.exists };
}

async function readMeasured<T>(
  file: string,
  parse: (text: string) => T,
): Promise<{ exists: boolean; result: Measured<T> }> {
  try {
    return { exists: true, result: { measured: true, value: parse(await readFile(file, 'utf8')) } };
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code !== 'ENOENT';
    const reason = exists ? reasonOf(error) : 'the suite did not write it';
    return { exists, result: { measured: false, reason: `${path.basename(file)}: ${reason}` } };
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError)
    return error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  return error instanceof Error ? error.message : String(error);
}

function parseTests(text: string, asked: Asked): TestResult[] {
  const { suite, users, tests } = testsFileSchema.parse(JSON.parse(text));
  if (suite !== asked.suite) throw new Error(`it is of the suite ${suite}`);
  if (users !== asked.users) {
    throw new Error(`it is of ${String(users)} users, asked for were ${String(asked.users)}`);
  }
  return tests;
}

/**
 * @throws Error when a line is damaged, there is none, its event isn't of the suite's time, or the two clocks
 *   can't be the same.
 */
function parseLatencies(text: string, ran: Pick<Asked, 'startMs' | 'endMs' | 'hostClock'>): Latency {
  const latencies: number[] = [];
  const withoutStalls: number[] = [];
  let longestStallMs = 0;
  /** By test; a suite that doesn't tell its tests apart has a single one. */
  const users = new Map<string, Set<string>>();
  const events = new Set<string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const where = `line ${String(index + 1)}`;
    const parsed = latencyLineSchema.safeParse(parseJson(line));
    if (!parsed.success) throw new Error(`${where} is damaged`);
    const problem = problemOf(parsed.data, ran);
    if (problem !== undefined) throw new Error(`${where}: ${problem}`);
    const { test = '', userId, runId, seq, latencyMs, stalledMs = 0 } = parsed.data;
    const ownMs = latencyMs + (ran.hostClock?.aheadMs ?? 0);
    latencies.push(ownMs);
    // Told of times by two clocks, it may be more.
    const stallMs = Math.max(0, Math.min(stalledMs, ownMs));
    withoutStalls.push(ownMs - stallMs);
    longestStallMs = Math.max(longestStallMs, stallMs);
    users.set(test, (users.get(test) ?? new Set()).add(userId));
    events.add(`${runId} ${String(seq)}`);
  }
  if (latencies.length === 0) throw new Error('no event was recorded');
  latencies.sort((a, b) => a - b);
  withoutStalls.sort((a, b) => a - b);
  return {
    count: events.size,
    users: Math.min(...[...users.values()].map(({ size }) => size)),
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: percentile(latencies, 1),
    ...(longestStallMs === 0
      ? {}
      : { stalls: { longestMs: longestStallMs, p99WithoutMs: percentile(withoutStalls, 0.99) } }),
  };
}

function problemOf(
  { emittedAt, receivedAt, latencyMs }: z.infer<typeof latencyLineSchema>,
  {
    startMs,
    endMs,
    hostClock = { aheadMs: 0, uncertaintyMs: 0 },
  }: Pick<Asked, 'startMs' | 'endMs' | 'hostClock'>,
): string | undefined {
  if (Math.abs(receivedAt - emittedAt - latencyMs) > clockToleranceMs) {
    return "the latency isn't the time between emit and receipt";
  }
  const { aheadMs, uncertaintyMs } = hostClock;
  if (latencyMs + aheadMs < -clockToleranceMs - uncertaintyMs) {
    return `received ${String(-latencyMs - aheadMs)} ms before it was emitted: two clocks that differ`;
  }
  const emittedMs = emittedAt - aheadMs;
  if (emittedMs < startMs - runToleranceMs) {
    return `emitted ${seconds(startMs - emittedMs)} before the suite began: another clock or another run`;
  }
  if (receivedAt > endMs + runToleranceMs) {
    return `received ${seconds(receivedAt - endMs)} after the suite ended: another clock or another run`;
  }
  return undefined;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Nearest rank: always a value that was measured. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
