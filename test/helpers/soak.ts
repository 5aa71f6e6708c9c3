import type { RunRecord } from '../../runners/report/record.js';
import { explain } from '../../runners/report/terminal.js';
import type { Rows } from '../../runners/report/content.js';

/** What became of one suite in one run. */
export interface SoakResult {
  suite: string;
  /** `slow`: the suite passed and everything else holds, but events took too long. */
  kind: 'good' | 'slow' | 'failed';
  /** Why it isn't good. */
  reason: string;
  suiteMs?: number;
  p99Ms?: number;
}

/** @param record of a run of one suite: that the others weren't chosen is no failure. */
export function soakResultOf(record: RunRecord): SoakResult {
  const [suite] = record.suites;
  if (suite === undefined) throw new Error(`run ${record.runId} has no suite`);
  const broken = record.verdict.metrics.filter(
    ({ name, result }) => result !== 'ok' && !(name === 'every suite chosen' && result === 'not proven'),
  );
  const onlySlow = broken.every(({ name, result }) => name === 'event delivery, p99' && result === 'failed');
  const { latency, durations, outcome, tests } = suite;
  return {
    suite: suite.name,
    kind: broken.length === 0 ? 'good' : onlySlow ? 'slow' : 'failed',
    reason: [...broken.map(({ name, reason }) => `${name}: ${reason}`), ...explain(outcome, tests)].join(
      '\n',
    ),
    ...(durations.suiteMs === undefined ? {} : { suiteMs: durations.suiteMs }),
    ...(latency.measured ? { p99Ms: latency.value.p99Ms } : {}),
  };
}

/** A row per suite, in the order in which they first ran. */
export function soakRows(results: readonly SoakResult[]): Rows {
  const suites = [...new Set(results.map(({ suite }) => suite))];
  return {
    head: ['suite', 'runs', 'failed', 'p99 too high', ...columns('suite s'), ...columns('p99 ms')],
    rows: suites.map((suite) => {
      const own = results.filter((result) => result.suite === suite);
      const count = (kind: SoakResult['kind']): string =>
        String(own.filter((result) => result.kind === kind).length);
      return [
        suite,
        String(own.length),
        count('failed'),
        count('slow'),
        ...range(own.flatMap(({ suiteMs }) => (suiteMs === undefined ? [] : [suiteMs / 1000]))),
        ...range(own.flatMap(({ p99Ms }) => p99Ms ?? [])),
      ];
    }),
  };
}

const columns = (what: string): string[] => [`${what}, min`, 'median', 'max'];

function range(values: readonly number[]): string[] {
  const sorted = [...values].sort((a, b) => a - b);
  const picked = [sorted[0], sorted[Math.ceil(sorted.length / 2) - 1], sorted.at(-1)];
  return picked.map((value) => value?.toFixed(1) ?? '-');
}

/** The last line: what all runs together say. */
export function soakLine(results: readonly SoakResult[], wanted: number): string {
  const count = (kind: SoakResult['kind']): string =>
    String(results.filter((result) => result.kind === kind).length);
  const runs = `${String(results.length)} of ${String(wanted)} runs`;
  return `${runs}: ${count('good')} good, ${count('failed')} failed, ${count('slow')} passed with a p99 too high`;
}
