import { mkdir } from 'node:fs/promises';
import { ConfigError } from '../components/config.js';
import { hostProblems } from '../components/sizing.js';
import type { Progress } from '../engine/progress.js';
import { readArtifacts } from './diagnosis/artifacts.js';
import { diagnose } from './diagnosis/diagnose.js';
import { messageOf } from './errors.js';
import { watchOwnMemory } from './own-memory.js';
import type { Plan } from './plan.js';
import { recordVersion, type RunRecord, type SuiteRecord } from './report/record.js';
import { rehearseSuite, type Dependencies, type Interruption } from './suite-cycle.js';
import { stackName } from './names.js';
import type { Suite } from './suites.js';
import { rehearseTogether } from './together.js';
import { judgeRun } from './verdict.js';

/** Keeps what is known of a run so far: it has to be on disk before the runner can die. */
export type SaveRecord = (record: RunRecord) => Promise<void>;

/**
 * Runs the plan's suites one after the other, each in an environment of its own. The record is saved before the
 * first suite and after each, with those that haven't ended as not run.
 * @throws ConfigError when the host is too small, and whatever the engine says when it can't be reached:
 *   nothing was started then. What goes wrong later is in the record.
 */
export async function run(
  plan: Plan,
  dependencies: Dependencies,
  interruption: Interruption,
  progress: Progress,
  save: SaveRecord,
): Promise<RunRecord> {
  const startedAt = new Date().toISOString();
  const host = await dependencies.engine.host();
  const problems = hostProblems(plan.environment, host.memoryMb);
  if (problems.length > 0) throw new ConfigError(problems, plan.settings.source);
  await mkdir(plan.folder, { recursive: true });
  const ownMemory = watchOwnMemory();

  const suites: SuiteRecord[] = [];
  const recordSoFar = (): RunRecord => {
    const missing = plan.suites.slice(suites.length);
    const notYet = missing.map((suite) => notRun(suite, plan, 'the runner ended before this suite did'));
    return recordOf(plan, host, [...suites, ...notYet], {
      startedAt,
      interrupted: interruption.stop.aborted,
      runner: { peakRssMb: ownMemory.peakMb() },
    });
  };
  let cannotGoOn: string | undefined;
  if (plan.together) {
    await save(recordSoFar());
    suites.push(...(await rehearseTogether(plan.suites, { ...dependencies, plan, interruption, progress })));
  }
  for (const suite of plan.suites.slice(suites.length)) {
    await save(recordSoFar());
    if (interruption.stop.aborted) cannotGoOn = 'the run was interrupted';
    if (cannotGoOn !== undefined) {
      suites.push(notRun(suite, plan, cannotGoOn));
      continue;
    }
    const record = await rehearseSuite(suite, { ...dependencies, plan, interruption, progress });
    suites.push(record);
    if (record.outcome.kind === 'errored') {
      cannotGoOn = await dependencies.engine.host().then(
        () => undefined,
        (error: unknown) => `the Docker Engine does not answer: ${messageOf(error)}`,
      );
    }
  }
  const record = recordSoFar();
  ownMemory.stop();
  await save(record);
  return record;
}

function recordOf(
  plan: Plan,
  host: Omit<RunRecord['host'], 'node'>,
  suites: SuiteRecord[],
  rest: Pick<RunRecord, 'startedAt' | 'interrupted' | 'runner'>,
): RunRecord {
  const { environment } = plan;
  const known = {
    users: plan.users,
    chosen: plan.suites.map(({ name }) => name),
    notChosen: plan.notChosen,
    environment: {
      profile: environment.profile,
      budgetMb: environment.budgetMb,
      limitMb: environment.memoryMb,
      services: mapValues(environment.services, ({ memoryMb }) => memoryMb),
      llm: plan.llm,
    },
    suites,
  };
  return {
    version: recordVersion,
    runId: plan.runId,
    ...rest,
    endedAt: new Date().toISOString(),
    ...plan.labels,
    host: { ...host, node: process.versions.node },
    ...known,
    verdict: judgeRun(known),
    ...diagnose({ ...known, host }, readArtifacts(plan.folder, suites)),
  };
}

function notRun(suite: Suite, plan: Plan, reason: string): SuiteRecord {
  const missing = { measured: false, reason: 'the suite did not run' } as const;
  return {
    name: suite.name,
    category: suite.category,
    stack: stackName(plan.labels.branch, plan.runId, suite.name),
    timeoutMs: suite.timeoutMs,
    outcome: { kind: 'not run', reason },
    durations: { totalMs: 0 },
    tests: [],
    measuresDelivery: suite.measuresDelivery,
    latency: missing,
    memory: missing,
    clock: missing,
    crashes: missing,
    lastLines: [],
    destruction: { kind: 'nothing made' },
    problems: [],
    folder: suite.name,
  };
}

function mapValues<K extends string, V, W>(
  record: Readonly<Record<K, V>>,
  map: (value: V) => W,
): Record<K, W> {
  return Object.fromEntries(Object.entries<V>(record).map(([key, value]) => [key, map(value)])) as Record<
    K,
    W
  >;
}
