import { rm } from 'node:fs/promises';
import type { ServiceName } from '../../components/services.js';
import { messageOf } from '../../runners/errors.js';
import { percentile } from '../../runners/suite-results.js';
import type { ChaosContext, ChaosPart, ChaosResult } from './part.js';
import { harms, hastyHealthChecks, type HarmName } from './support/harms.js';
import { findingOf, type Finding, type Harmed } from './support/oom-findings.js';
import { shuffled } from './support/random.js';
import { newWard, type Ward } from './support/ward.js';

/** A run has a suite, and so an environment, for each. */
const ofEachRun: readonly HarmName[] = [
  ...(['grows-until-killed', 'killed-at-once', 'child-killed', 'restarts-inside'] as const),
  ...(['stopped', 'stopped', 'stopped-when-full', 'stopped-when-full'] as const),
  'turns-unhealthy',
];
const suiteTimeoutSeconds = 120;
/** From the engine's event to the suite's end, 95 of 100 times. */
const mostEndedAfterMs = 1_000;

const countOf = (wanted: (name: HarmName) => boolean): number => ofEachRun.filter(wanted).length;

export const ooms: ChaosPart = {
  name: 'ooms',
  describe: (count) =>
    `${String(count * countOf((name) => harms[name].kind === 'oom'))} OOM kills in four forms, ` +
    `${String(count * countOf((name) => harms[name].kind === 'killed'))} times docker stop -t 0, which is none`,
  run: tryAll,
};

interface Trial extends Harmed {
  name: HarmName;
}

async function tryAll(count: number, { progress, signal, random }: ChaosContext): Promise<ChaosResult> {
  const ward = await newWard({ signal });
  const order = new Map(
    Object.entries(harms).map(([name, { services }]) => [name, shuffled<ServiceName>(services, random)]),
  );
  const rows: string[][] = [];
  const endings: number[] = [];
  let failed = 0;
  for (let round = 0; round < count; round += 1) {
    const step = progress.step(`run ${String(round + 1)} of ${String(count)}`);
    const trials = shuffled(trialsOf(round, order), random);
    const findings = await findingsOf(trials, ward).catch((error: unknown) =>
      trials.map((): Finding => ({ problems: [messageOf(error)], named: '-' })),
    );
    if (signal.aborted) break;
    for (const [index, trial] of trials.entries()) {
      const finding = findings[index] as Finding;
      rows.push(rowOf(trial, finding));
      if (finding.endedAfterMs !== undefined) endings.push(finding.endedAfterMs);
      if (finding.problems.length > 0) failed += 1;
    }
    const problems = findings.flatMap(({ problems: own }, index) =>
      own.map((problem) => `${trials[index]?.suite ?? ''}: ${problem}`),
    );
    if (problems.length === 0) step.done();
    else step.fail([...new Set(problems)].join('\n'));
  }
  const ending = endingRow(endings);
  rows.push(ending.row);
  if (!ending.isGood) failed += 1;
  if (failed === 0) await ward.dismiss();
  const head = ['what was done', 'to', 'named', 'limit MiB', 'peak MiB', 'suite ended after ms', 'result'];
  return { rows: { head, rows }, passed: rows.length - failed, failed };
}

/** A service of its own for each harm in turn, so that each of them meets all that it can. */
function trialsOf(round: number, order: ReadonlyMap<string, readonly ServiceName[]>): Trial[] {
  const used = new Map<HarmName, number>();
  return ofEachRun.map((name) => {
    const earlier = used.get(name) ?? 0;
    used.set(name, earlier + 1);
    const perRun = countOf((other) => other === name);
    const services = order.get(name) ?? [];
    const service = services[(round * perRun + earlier) % services.length] as ServiceName;
    return { name, suite: `${name}-${service}`, service, harm: harms[name] };
  });
}

/** @throws Error when there is no record, or something is left. */
async function findingsOf(trials: readonly Trial[], ward: Ward): Promise<Finding[]> {
  const run = await ward.start({
    'rehearsal:services': hastyHealthChecks,
    'rehearsal:suites': trials.map(({ name, suite, service }) => ({
      name: suite,
      command: ['node', '--import', 'tsx', 'test/chaos/harmful-suite.ts', name, service],
      timeoutSeconds: suiteTimeoutSeconds,
    })),
  });
  await run.ended;
  const [last] = await run.records();
  if (last === undefined) throw new Error(`it left no record:\n${run.output()}`);
  await ward.untilNothingIsLeft();
  const findings = trials.map((trial) => findingOf(trial, last.record));
  if (findings.every(({ problems }) => problems.length === 0)) await rm(last.folder, { recursive: true });
  return findings;
}

function rowOf({ harm, name, service }: Trial, finding: Finding): string[] {
  const whole = (value: number | undefined): string => value?.toFixed(0) ?? '-';
  return [
    harms[name].title,
    service,
    finding.named,
    whole(finding.limitMb),
    whole(finding.peakMb),
    harm.ends ? whole(finding.endedAfterMs) : 'survived',
    finding.problems.length === 0 ? 'named right' : 'failed',
  ];
}

function endingRow(endings: readonly number[]): { row: string[]; isGood: boolean } {
  const sorted = endings.toSorted((a, b) => a - b);
  const at = (share: number): number => percentile(sorted, share);
  const isGood = sorted.length > 0 && at(0.95) <= mostEndedAfterMs;
  const figures = sorted.length === 0 ? '-' : `${at(0.95).toFixed(0)} (most: ${at(1).toFixed(0)})`;
  const what = `95 of 100 of the ${String(sorted.length)} suites that were ended`;
  return { row: [what, '-', '-', '-', '-', figures, isGood ? 'in time' : 'failed'], isGood };
}
