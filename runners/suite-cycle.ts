import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { configNamespace } from '../components/config.js';
import { serviceNames } from '../components/services.js';
import type { Outputs } from '../components/outputs.js';
import type { Step } from '../engine/progress.js';
import type { ContainerEngine, EventWatch, Scope } from './docker.js';
import { messageOf } from './errors.js';
import { collectEvidence } from './evidence.js';
import type { MemoryWatch } from './memory.js';
import { stackName } from './names.js';
import { environmentFileName, type Plan } from './plan.js';
import type { Destruction, Outcome, Phase, SuiteRecord } from './report/record.js';
import type { Stack, StackEngine } from './stack.js';
import { judge, type SuiteRun, type SuiteRunner } from './suite-runner.js';
import type { Suite } from './suites.js';

export interface Dependencies {
  stacks: StackEngine;
  engine: ContainerEngine;
  suites: SuiteRunner;
}

export interface Interruption {
  /** Aborts when the run is to end early and in order. */
  stop: AbortSignal;
  /** Aborts when nobody wants to wait any longer, not even for the destroy. */
  abandon: AbortSignal;
}

export interface CycleContext extends Dependencies {
  plan: Plan;
  interruption: Interruption;
  step: Step;
}

const upTimeoutMs = 5 * 60_000;
const destroyTimeoutMs = 2 * 60_000;

/** What is known so far of a suite's environment. Filled in as it comes up, read when it goes down. */
interface Live {
  phase: Phase;
  stack?: Stack;
  events?: EventWatch;
  memory?: MemoryWatch;
  outputs?: Outputs;
  run?: SuiteRun;
}

/**
 * One suite in an environment of its own: up, suite, evidence, destroy. Never rejects: what goes wrong is in
 * the record, the first error as the outcome and what went wrong while tidying up beside it.
 */
export async function rehearseSuite(suite: Suite, context: CycleContext): Promise<SuiteRecord> {
  const { plan, interruption, step } = context;
  const startedMs = performance.now();
  const folder = path.join(plan.folder, suite.name);
  const name = stackName(plan.labels.branch, plan.runId, suite.name);
  const scope: Scope = { runId: plan.runId, suite: suite.name };
  const durations: Omit<SuiteRecord['durations'], 'totalMs'> = {};
  const live: Live = { phase: 'create' };

  let outcome: Outcome;
  try {
    outcome = await runSuite(suite, context, { folder, name, scope, durations, live });
  } catch (error) {
    outcome = interruption.stop.aborted
      ? { kind: 'interrupted', phase: live.phase }
      : { kind: 'errored', phase: live.phase, message: messageOf(error) };
  }

  if (live.stack !== undefined) step.update('collecting evidence');
  const memory = (await live.memory?.stop()) ?? {
    measured: false,
    reason: 'the environment did not come up',
  };
  const evidence = await collectEvidence(context.engine, { scope, folder, ...live });
  const destruction = await destroy(suite, context, { folder, scope, durations, live, outcome });
  return {
    name: suite.name,
    category: suite.category,
    stack: name,
    timeoutMs: suite.timeoutMs,
    outcome,
    durations: { ...durations, totalMs: performance.now() - startedMs },
    tests: live.run?.tests.measured === true ? live.run.tests.value : [],
    measuresDelivery: suite.measuresDelivery,
    latency: live.run?.latency ?? { measured: false, reason: 'the suite did not run' },
    memory,
    crashes: evidence.crashes,
    destruction,
    problems: evidence.problems,
    folder: suite.name,
  };
}

interface CycleState {
  folder: string;
  scope: Scope;
  durations: Omit<SuiteRecord['durations'], 'totalMs'>;
  live: Live;
}

async function runSuite(
  suite: Suite,
  { plan, stacks, engine, suites, interruption, step }: CycleContext,
  { folder, name, scope, durations, live }: CycleState & { name: string },
): Promise<Outcome> {
  const onLine = (line: string): void => {
    step.update(line);
  };
  await mkdir(folder, { recursive: true });
  interruption.stop.throwIfAborted();
  step.update('creating the stack');
  const settings = {
    ...plan.settings.encryption,
    config: {
      ...plan.settings.config,
      [`${configNamespace}:run`]: { id: plan.runId, suite: suite.name, ...plan.labels },
    },
  };
  live.stack = await timed(durations, 'createMs', stacks.create({ name, folder, settings }));

  live.phase = 'up';
  step.update('bringing the environment up');
  live.events = await engine.watchEvents(scope);
  const control = { timeoutMs: upTimeoutMs, signal: interruption.stop, onLine };
  const outputs = await timed(durations, 'upMs', live.stack.up(control));
  live.outputs = outputs;

  live.phase = 'prepare';
  const environmentFile = path.join(folder, environmentFileName);
  await writeFile(environmentFile, JSON.stringify(outputs.endpoints), { mode: 0o600 });
  const containers = serviceNames.map((service) => {
    const { containerId, memoryMb } = outputs.services[service];
    return { service, containerId, limitMb: memoryMb };
  });
  live.memory = engine.sampleMemory(containers, path.join(folder, 'memory.jsonl'));

  live.phase = 'suite';
  step.update('running the suite');
  const { signal, users } = { signal: interruption.stop, users: plan.users };
  live.run = await timed(
    durations,
    'suiteMs',
    suites.run({ suite, environmentFile, folder, users, signal, onLine }),
  );
  return judge(live.run);
}

async function destroy(
  suite: Suite,
  { plan, engine, interruption, step }: CycleContext,
  { folder, scope, durations, live, outcome }: CycleState & { outcome: Outcome },
): Promise<Destruction> {
  const { stack } = live;
  if (stack === undefined) return { kind: 'nothing made' };
  const { destroyCommand: command } = stack;
  const failed = outcome.kind !== 'passed' && outcome.kind !== 'interrupted';
  if (plan.keepOnFailure && failed) return { kind: 'kept', command };
  step.update('destroying the environment');
  try {
    const onLine = (line: string): void => {
      step.update(line);
    };
    const gone = timed(durations, 'destroyMs', stack.destroy({ timeoutMs: destroyTimeoutMs, onLine }));
    await unlessAbandoned(gone, interruption.abandon);
    await rm(path.join(folder, environmentFileName), { force: true });
    const leftovers = await engine.leftovers(scope);
    return leftovers.length === 0 ? { kind: 'destroyed' } : { kind: 'left over', leftovers };
  } catch (error) {
    return { kind: 'failed', message: `${suite.name}: ${messageOf(error)}`, command };
  }
}

/** The operation goes on in its own process group; only the waiting for it ends. */
async function unlessAbandoned<T>(operation: Promise<T>, abandon: AbortSignal): Promise<T> {
  const message = 'not waited for: interrupted a second time';
  if (abandon.aborted) throw new Error(message);
  return Promise.race([
    operation,
    new Promise<never>((_, reject) => {
      abandon.addEventListener('abort', () => {
        reject(new Error(message));
      });
    }),
  ]);
}

async function timed<T>(
  durations: Omit<SuiteRecord['durations'], 'totalMs'>,
  key: keyof Omit<SuiteRecord['durations'], 'totalMs'>,
  operation: Promise<T>,
): Promise<T> {
  const startedMs = performance.now();
  try {
    return await operation;
  } finally {
    durations[key] = performance.now() - startedMs;
  }
}
