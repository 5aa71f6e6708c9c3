import { diagnose } from './diagnosis/diagnose.js';
import { readArtifacts } from './diagnosis/artifacts.js';
import { costOf } from './cost.js';
import { stackName } from './names.js';
import type { Plan } from './plan.js';
import { recordVersion, type RunRecord, type SuiteRecord } from './report/record.js';
import type { Suite } from './suites.js';
import { judgeRun } from './verdict.js';

/** What is known of a run, with what follows from it. */
export function recordOf(
  plan: Plan,
  host: Omit<RunRecord['host'], 'node'>,
  suites: SuiteRecord[],
  rest: Pick<RunRecord, 'startedAt' | 'interrupted' | 'jobs' | 'mostAtOnce' | 'runner'>,
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
    ...(plan.aws === undefined ? {} : { cost: costOf({ ...plan, aws: plan.aws }, suites) }),
    ...known,
    verdict: judgeRun(known),
    ...diagnose({ ...known, host }, readArtifacts(plan.folder, suites)),
  };
}

export function notRun(suite: Suite, plan: Plan, reason: string): SuiteRecord {
  const missing = { measured: false, reason: 'the suite did not run' } as const;
  return {
    name: suite.name,
    category: suite.category,
    stack: stackName(plan.labels.branch, plan.runId, suite.name),
    timeoutMs: suite.timeoutMs,
    outcome: { kind: 'not run', reason },
    preparedAhead: false,
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
