import path from 'node:path';
import type { CycleContext } from './preparation.js';
import type { SuiteRecord } from './report/record.js';
import { rehearseSuite } from './suite-cycle.js';
import { judge, type SuiteRun, type SuiteRunner } from './suite-runner.js';
import type { Suite } from './suites.js';

/** Stands where a suite's name would: in labels, in the stack's name and for the folder of the evidence. */
const environmentName = 'shared';

/**
 * Several suites at once in one environment, which they share. Never rejects.
 * @returns a record per suite, in their order: the environment's part is the same in each.
 */
export async function rehearseTogether(
  suites: readonly Suite[],
  context: CycleContext,
): Promise<SuiteRecord[]> {
  const runs = new Map<string, SuiteRun>();
  const together: Suite = {
    name: environmentName,
    category: environmentName,
    command: [],
    timeoutMs: Math.max(...suites.map(({ timeoutMs }) => timeoutMs)),
    measuresDelivery: false,
  };
  const shared = await rehearseSuite(together, {
    ...context,
    suites: sideBySide(suites, context.suites, runs),
  });
  return suites.map((suite) => recordOf(suite, shared, runs.get(suite.name)));
}

/** Runs all suites at once when it is to run the one that stands for them; `runs` takes what became of each. */
function sideBySide(suites: readonly Suite[], runner: SuiteRunner, runs: Map<string, SuiteRun>): SuiteRunner {
  return {
    async run(request) {
      const startedMs = performance.now();
      const settled = await Promise.allSettled(
        suites.map(async (suite) => {
          const run = await runner.run({
            ...request,
            suite,
            folder: path.join(request.folder, suite.name),
            onLine: (line) => {
              request.onLine(`${suite.name}: ${line}`);
            },
          });
          runs.set(suite.name, run);
          return run;
        }),
      );
      // Only now: while one of them is at work, the environment has to stay.
      const ended = settled.map((result) => {
        if (result.status === 'rejected') throw result.reason;
        return result.value;
      });
      const endedBadly = ended.find(({ status }) => status.kind !== 'exited' || status.exitCode !== 0);
      return {
        status: endedBadly?.status ?? { kind: 'exited', exitCode: 0 },
        durationMs: performance.now() - startedMs,
        logTail: endedBadly?.logTail ?? '',
        problems: [],
        tests: {
          measured: true,
          value: ended.flatMap(({ tests }) => (tests.measured ? tests.value : [])),
        },
        latency: { measured: false, reason: 'it is measured for each suite' },
        wroteLatencies: false,
      };
    },
  };
}

/** @param run absent when the suite wasn't started, or the runner failed. */
function recordOf(suite: Suite, shared: SuiteRecord, run: SuiteRun | undefined): SuiteRecord {
  const { name, category, timeoutMs, measuresDelivery } = suite;
  const own = { ...shared, name, category, timeoutMs, measuresDelivery };
  if (run === undefined) return { ...own, tests: [] };
  return {
    ...own,
    // One that was cut short has ended for the environment's reasons.
    outcome: run.status.kind === 'cancelled' ? shared.outcome : judge(run),
    durations: { ...shared.durations, suiteMs: run.durationMs },
    tests: run.tests.measured ? run.tests.value : [],
    measuresDelivery: measuresDelivery || run.wroteLatencies,
    latency: run.latency,
    problems: [...run.problems, ...shared.problems],
  };
}
