import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { parseJson } from './json.js';
import { testResultSchema, type Latency, type Measured, type TestResult } from './report/record.js';

/** What a suite leaves in its results folder. */
export interface SuiteResults {
  tests: Measured<TestResult[]>;
  latency: Measured<Latency>;
}

const testsFileSchema = z.object({ suite: z.string(), tests: z.array(testResultSchema) });
const latencyLineSchema = z.object({ emittedAt: z.number(), receivedAt: z.number(), latencyMs: z.number() });

/** Two readings of one clock, each rounded to a millisecond or finer. */
const clockToleranceMs = 1;

export async function readResults(folder: string, suiteName: string): Promise<SuiteResults> {
  const [tests, latency] = await Promise.all([
    readMeasured(path.join(folder, 'tests.json'), (text) => parseTests(text, suiteName)),
    readMeasured(path.join(folder, 'latencies.jsonl'), parseLatencies),
  ]);
  return { tests, latency };
}

async function readMeasured<T>(file: string, parse: (text: string) => T): Promise<Measured<T>> {
  try {
    return { measured: true, value: parse(await readFile(file, 'utf8')) };
  } catch (error) {
    return { measured: false, reason: `${path.basename(file)}: ${reasonOf(error)}` };
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError)
    return error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'the suite did not write it';
  return error instanceof Error ? error.message : String(error);
}

function parseTests(text: string, suiteName: string): TestResult[] {
  const { suite, tests } = testsFileSchema.parse(JSON.parse(text));
  if (suite !== suiteName) throw new Error(`it is of the suite ${suite}`);
  return tests;
}

/** @throws Error when a line is damaged, there is none, or the two clocks can't be the same. */
export function parseLatencies(text: string): Latency {
  const latencies: number[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const where = `line ${String(index + 1)}`;
    const parsed = latencyLineSchema.safeParse(parseJson(line));
    if (!parsed.success) throw new Error(`${where} is damaged`);
    const { emittedAt, receivedAt, latencyMs } = parsed.data;
    if (Math.abs(receivedAt - emittedAt - latencyMs) > clockToleranceMs) {
      throw new Error(`${where}: the latency isn't the time between emit and receipt`);
    }
    if (latencyMs < -clockToleranceMs) {
      throw new Error(
        `${where}: received ${String(-latencyMs)} ms before it was emitted: two clocks that differ`,
      );
    }
    latencies.push(latencyMs);
  }
  if (latencies.length === 0) throw new Error('no event was recorded');
  latencies.sort((a, b) => a - b);
  return {
    count: latencies.length,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: percentile(latencies, 1),
  };
}

/** Nearest rank: always a value that was measured. */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
