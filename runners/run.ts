import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { ConfigError } from '../components/config.js';
import { hostProblems } from '../components/sizing.js';
import type { Progress } from '../engine/progress.js';
import { jobsFor } from './admission.js';
import type { ContainerEngine, HostFacts } from './docker.js';
import { messageOf } from './errors.js';
import { watchOwnMemory } from './own-memory.js';
import type { Plan } from './plan.js';
import { prepare, type Dependencies, type Interruption, type Preparation } from './preparation.js';
import type { Outcome, RunRecord, SuiteRecord } from './report/record.js';
import { notRun, recordOf } from './run-record.js';
import { schedule } from './schedule.js';
import { rehearseIn } from './suite-cycle.js';
import type { SuiteRunner } from './suite-runner.js';
import type { Suite } from './suites.js';
import { newTimeline } from './timeline.js';
import { rehearseTogether } from './together.js';

/** Keeps what is known of a run so far: it has to be on disk before the runner can die. */
export type SaveRecord = (record: RunRecord) => Promise<void>;

/**
 * The host of the plan's environments.
 * @throws ConfigError when it is too small, and whatever the engine says when it can't be reached.
 */
export async function admit(plan: Plan, engine: Pick<ContainerEngine, 'host'>): Promise<HostFacts> {
  const host = await engine.host();
  const problems = hostProblems(plan.environment, host.memoryMb);
  if (problems.length > 0) throw new ConfigError(problems, plan.settings.source);
  return host;
}

/**
 * Runs the plan's suites, each in an environment of its own, as many at once as there are jobs. The record is saved
 * before the first suite and after each, with those that haven't ended as not run. What goes wrong is in the record.
 * @param admitted the host, as `admit` found it.
 */
export async function run(
  plan: Plan,
  admitted: HostFacts,
  dependencies: Dependencies,
  interruption: Interruption,
  progress: Progress,
  save: SaveRecord,
): Promise<RunRecord> {
  const startedAt = new Date().toISOString();
  let host = admitted;
  await mkdir(plan.folder, { recursive: true });
  const ownMemory = watchOwnMemory();

  const { stop } = interruption;
  const jobs =
    plan.jobs === 'auto' ? jobsFor(plan.environment.memoryMb, host, plan.suites.length) : plan.jobs;
  const timeline = newTimeline();
  const counted = countingSuites(dependencies.suites);
  const context = {
    ...dependencies,
    suites: counted.suites,
    plan,
    interruption,
    progress,
    timeline,
    comingUp: new Set<Promise<unknown>>(),
  };

  const ended = new Map<Suite, SuiteRecord>();
  const recordSoFar = (): RunRecord => {
    const suites = plan.suites.map(
      (suite) => ended.get(suite) ?? notRun(suite, plan, 'the runner ended before this suite did'),
    );
    return recordOf(plan, host, suites, {
      startedAt,
      interrupted: stop.aborted,
      jobs,
      mostAtOnce: counted.mostAtOnce(),
      runner: { peakRssMb: ownMemory.peakMb() },
    });
  };
  // One after the other: an earlier record must not end up on top of a later one.
  let saved = save(recordSoFar());
  const saveMore = (): Promise<void> => (saved = saved.then(() => save(recordSoFar())));
  await saved;

  let cannotGoOn: string | undefined;
  const lookAtEngine = async (outcome: Outcome | undefined): Promise<void> => {
    if (outcome?.kind !== 'errored') return;
    await dependencies.engine.host().catch((error: unknown) => {
      cannotGoOn ??= `the Docker Engine does not answer: ${messageOf(error)}`;
    });
  };
  if (plan.together) {
    const records = await rehearseTogether(plan.suites, context);
    for (const [index, record] of records.entries()) ended.set(plan.suites[index] as Suite, record);
  } else {
    await schedule<Suite, Preparation | Skipped, SuiteRecord>(plan.suites, jobs, {
      async prepare(suite, isNeeded) {
        if (stop.aborted) cannotGoOn ??= 'the run was interrupted';
        if (cannotGoOn !== undefined) {
          return { over: AbortSignal.abort(), skipped: notRun(suite, plan, cannotGoOn) };
        }
        const prepared = await prepare(suite, context, isNeeded);
        if ('failure' in prepared.result) await lookAtEngine(prepared.result.failure);
        return prepared;
      },
      async use(ready, free) {
        if ('skipped' in ready) return ready.skipped;
        const record = await rehearseIn(ready, context, free);
        await lookAtEngine(record.outcome);
        return record;
      },
      async onResult(record, suite) {
        ended.set(suite, record);
        if (ended.size < plan.suites.length) await saveMore();
      },
    });
  }
  ownMemory.stop();
  await saved;
  // Of hosts that came with the environments, only now it is known what they were.
  host = await dependencies.engine.host().catch(() => host);
  const record = recordSoFar();
  // Where the time went is no part of the verdict: without it the run is as good.
  await timeline.save(path.join(plan.folder, 'timeline.json')).catch(() => undefined);
  await save(record);
  return record;
}

/** A suite that gets no environment any more. */
interface Skipped {
  over: AbortSignal;
  skipped: SuiteRecord;
}

/** Counts how many suites run at the same time. */
function countingSuites(runner: SuiteRunner): { suites: SuiteRunner; mostAtOnce: () => number } {
  let running = 0;
  let most = 0;
  return {
    mostAtOnce: () => most,
    suites: {
      async run(request) {
        running += 1;
        most = Math.max(most, running);
        try {
          return await runner.run(request);
        } finally {
          running -= 1;
        }
      },
    },
  };
}
