import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../runners/errors.js';
import { parseJson } from '../runners/json.js';
import type { RunRecord, SuiteRecord } from '../runners/report/record.js';
import { percentile } from '../runners/suite-results.js';
import { runRunner } from './runner-process.js';
import type { Site } from './site.js';

export interface Delivery {
  test: string;
  emittedAt: number;
  receivedAt: number;
}

/** Those that deliver the most events. With more users than usual the others would take longer than a part may. */
export const eventSuites = ['websocket-agent-events', 'websocket-events-comprehensive'];
/** It fails on events that come too late, the others on events that are lost or out of order. */
export const delayTest = 'each type of event reaches each user without delay';
/** With which all five run. */
export const usualUsers = 10;

/** Critical suites with so many users at work at the same time. */
export interface Load {
  users: number;
  record: RunRecord;
  deliveries: Delivery[];
  problems: string[];
}

const loads = new WeakMap<Site, Map<number, Promise<Load>>>();

/** Two parts look at the same runs. @throws Error when there was no run. */
export function loadOf(site: Site, users: number): Promise<Load> {
  const known = loads.get(site) ?? new Map<number, Promise<Load>>();
  loads.set(site, known);
  const load = known.get(users) ?? measure(site, users);
  known.set(users, load);
  return load;
}

async function measure(site: Site, users: number): Promise<Load> {
  const suites = users === usualUsers ? [] : eventSuites;
  const what = suites.length === 0 ? 'the five suites' : suites.join(' and ');
  const step = site.progress.step(`${what} with ${String(users)} users, profile standard`);
  try {
    const args = ['--profile', 'standard', '--users', String(users)];
    const chosen = suites.flatMap((suite) => ['--suite', suite]);
    const run = await runRunner(site, [...args, ...chosen], {
      onLine: (line) => {
        step.update(line);
      },
      isExcused: isOnlyLate,
    });
    const { record, folder } = run;
    const deliveries: Delivery[] = [];
    for (const suite of record.suites.filter(({ name }) => eventSuites.includes(name))) {
      const file = path.join(folder, suite.folder, 'results', 'latencies.jsonl');
      const text = await readFile(file, 'utf8').catch(() => '');
      for (const line of text.split('\n').filter((one) => one !== '')) {
        const { test, emittedAt, receivedAt } = parseJson(line) as Delivery;
        deliveries.push({ test: `${suite.name}: ${test}`, emittedAt, receivedAt });
      }
    }
    await run.tidyUp();
    const problems = run.problems.map((problem) => `${String(users)} users: ${problem}`);
    if (problems.length === 0) step.done();
    else step.fail(problems.join('; '));
    return { users, record, deliveries, problems };
  } catch (error) {
    step.fail(messageOf(error));
    throw error;
  }
}

/** How late events are is a figure of its own. */
function isOnlyLate({ outcome, tests }: SuiteRecord): boolean {
  const failed = tests.filter(({ status }) => status !== 'passed');
  return outcome.kind === 'failed' && failed.length > 0 && failed.every(({ name }) => name === delayTest);
}

export interface DeliverySummary {
  count: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** While a test had events: from its first emit to its last receipt. */
  perSecond: number;
  /** In the second that had the most. */
  mostInASecond: number;
}

export function summariseDeliveries(deliveries: readonly Delivery[]): DeliverySummary {
  const latencies = deliveries
    .map(({ emittedAt, receivedAt }) => receivedAt - emittedAt)
    .sort((a, b) => a - b);
  const spans = new Map<string, { from: number; to: number }>();
  const seconds = new Map<number, number>();
  for (const { test, emittedAt, receivedAt } of deliveries) {
    const span = spans.get(test) ?? { from: emittedAt, to: receivedAt };
    spans.set(test, { from: Math.min(span.from, emittedAt), to: Math.max(span.to, receivedAt) });
    const second = Math.floor(receivedAt / 1000);
    seconds.set(second, (seconds.get(second) ?? 0) + 1);
  }
  const busyMs = [...spans.values()].reduce((sum, { from, to }) => sum + to - from, 0);
  return {
    count: latencies.length,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: percentile(latencies, 1),
    perSecond: (latencies.length * 1000) / busyMs,
    mostInASecond: Math.max(0, ...seconds.values()),
  };
}
