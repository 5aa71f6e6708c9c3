import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { configNamespace } from '../components/config.js';
import { serviceNames } from '../components/services.js';
import type { Outputs } from '../components/outputs.js';
import type { Progress } from '../engine/progress.js';
import type { ContainerEngine, Scope } from './docker.js';
import { messageOf } from './errors.js';
import { faultOf, type EventWatch } from './event-watch.js';
import { collectEvidence } from './evidence.js';
import { lastLinesOf, outcomeOfFault } from './faults.js';
import type { LeaseBook } from './lease-book.js';
import type { MemoryWatch } from './memory.js';
import { stackName } from './names.js';
import { phasesOf, type Durations, type RunPhase } from './phases.js';
import { environmentFileName, type Plan } from './plan.js';
import { redactDeep, secretsOfEndpoints, secretVariablesOf } from './redact.js';
import type { Destruction, Outcome, Phase, SuiteRecord } from './report/record.js';
import type { Stack, StackEngine } from './stack.js';
import { explain } from './report/terminal.js';
import { judge, type SuiteRun, type SuiteRunner } from './suite-runner.js';
import type { Suite } from './suites.js';

export interface Dependencies {
  leases: LeaseBook;
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
  progress: Progress;
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

/** What belongs to one suite's turn. */
interface Turn {
  suite: Suite;
  stackName: string;
  /** The suite's own, in the run's. */
  folder: string;
  scope: Scope;
  inPhase: RunPhase;
  live: Live;
}

/**
 * One suite in an environment of its own: up, suite, evidence, destroy. Never rejects: what goes wrong is in
 * the record, the first error as the outcome and what went wrong while tidying up beside it.
 */
export async function rehearseSuite(suite: Suite, context: CycleContext): Promise<SuiteRecord> {
  const { plan, interruption, progress, engine } = context;
  const startedMs = performance.now();
  const durations: Durations = {};
  const live: Live = { phase: 'create' };
  const turn: Turn = {
    suite,
    stackName: stackName(plan.labels.branch, plan.runId, suite.name),
    folder: path.join(plan.folder, suite.name),
    scope: { runId: plan.runId, suite: suite.name },
    inPhase: phasesOf(suite.name, progress, durations),
    live,
  };

  let outcome: Outcome;
  try {
    outcome = await runSuite(turn, context);
  } catch (error) {
    outcome = outcomeOfError(error, live, interruption.stop);
  }
  // What happens to the environment from here on is in the record, but the suite has ended without it.
  const fault = faultOf(live.events, Date.now());
  const watched = (await live.memory?.stop()) ?? { memory: unmeasured(notUp), clock: unmeasured(notUp) };
  const evidence =
    live.events === undefined
      ? { crashes: unmeasured(notUp), logs: [], problems: [], secrets: [] }
      : await collectEvidence(engine, live.events, {
          ...turn,
          outputs: live.outputs,
          secretVariables: secretVariablesOf(plan.environment),
          memory: watched.memory,
        });
  // Only now all is known: the engine may tell of an OOM kill after the end that it led to.
  if (fault !== undefined && evidence.crashes.measured) {
    outcome = outcomeOfFault(live.phase, evidence.crashes.value, evidence.logs) ?? outcome;
  }
  const destruction = await destroy(turn, outcome, context);
  // What couldn't be destroyed keeps its lease: the janitor finishes it, or the next run, or gc.
  if (destruction.kind === 'destroyed' || destruction.kind === 'nothing made') {
    await context.leases.giveBack(turn.stackName);
  }
  const record: SuiteRecord = {
    name: suite.name,
    category: suite.category,
    stack: turn.stackName,
    timeoutMs: suite.timeoutMs,
    outcome,
    durations: { ...durations, totalMs: performance.now() - startedMs },
    tests: live.run?.tests.measured === true ? live.run.tests.value : [],
    measuresDelivery: suite.measuresDelivery || live.run?.wroteLatencies === true,
    latency: live.run?.latency ?? unmeasured('the suite did not run'),
    ...watched,
    crashes: evidence.crashes,
    ...(fault === undefined ? {} : { fault }),
    lastLines: lastLinesOf(outcome, evidence),
    destruction,
    problems: [...(live.run?.problems ?? []), ...evidence.problems],
    folder: suite.name,
  };
  return redactDeep(record, evidence.secrets);
}

/** A fault of the environment or an interruption explains whatever else went wrong by it. */
function outcomeOfError(error: unknown, { phase, events }: Live, stop: AbortSignal): Outcome {
  if (events?.fault.aborted === true) {
    return { kind: 'errored', phase, message: messageOf(events.fault.reason) };
  }
  if (stop.aborted) return { kind: 'interrupted', phase };
  return { kind: 'errored', phase, message: messageOf(error) };
}

const notUp = 'the environment did not come up';
const unmeasured = (reason: string): { measured: false; reason: string } => ({ measured: false, reason });

async function runSuite(
  { suite, stackName: name, folder, scope, inPhase, live }: Turn,
  { plan, leases, stacks, engine, suites, interruption }: CycleContext,
): Promise<Outcome> {
  await mkdir(folder, { recursive: true });
  interruption.stop.throwIfAborted();
  const settings = {
    ...plan.settings.encryption,
    config: {
      ...plan.settings.config,
      [`${configNamespace}:run`]: { id: plan.runId, suite: suite.name, ...plan.labels },
    },
  };
  await leases.take(name, suite.name);
  const stack = await inPhase('createMs', () => stacks.create({ name, folder, settings }));
  live.stack = stack;

  live.phase = 'up';
  live.events = await engine.watchEvents(scope);
  const { fault } = live.events;
  const signal = AbortSignal.any([interruption.stop, fault]);
  live.outputs = await inPhase('upMs', (onLine) => stack.up({ timeoutMs: upTimeoutMs, signal, onLine }));

  live.phase = 'prepare';
  const { endpoints, services } = live.outputs;
  const environmentFile = path.join(folder, environmentFileName);
  await writeFile(environmentFile, JSON.stringify(endpoints), { mode: 0o600 });
  const containers = serviceNames.map((service) => {
    const { containerId, memoryMb } = services[service];
    return { service, containerId, limitMb: memoryMb };
  });
  live.memory = await engine.sampleMemory(containers, path.join(folder, 'memory.jsonl'), live.events);

  fault.throwIfAborted();

  live.phase = 'suite';
  const run = await inPhase(
    'suiteMs',
    async (onLine) => {
      const secrets = secretsOfEndpoints(endpoints);
      const request = { suite, environmentFile, folder, users: plan.users, secrets, signal, onLine };
      live.run = await suites.run(request);
      // However the suite ended: it no longer had the environment that it was promised.
      fault.throwIfAborted();
      return live.run;
    },
    (ended) => explain(judge(ended), [])[0],
  );
  return judge(run);
}

async function destroy(
  { suite, stackName: name, folder, scope, inPhase, live: { stack } }: Turn,
  outcome: Outcome,
  { plan, leases, engine, interruption }: CycleContext,
): Promise<Destruction> {
  if (stack === undefined) return { kind: 'nothing made' };
  const { destroyCommand: command } = stack;
  const failed = outcome.kind !== 'passed' && outcome.kind !== 'interrupted';
  if (plan.keepOnFailure && failed) return { kind: 'kept', command, until: await leases.keep(name) };
  try {
    await inPhase('destroyMs', (onLine) =>
      unlessAbandoned(stack.destroy({ timeoutMs: destroyTimeoutMs, onLine }), interruption.abandon),
    );
    await rm(path.join(folder, environmentFileName), { force: true });
    const leftovers = await engine.leftovers(scope);
    return leftovers.length === 0 ? { kind: 'destroyed' } : { kind: 'left over', leftovers };
  } catch (error) {
    return { kind: 'failed', message: `${suite.name}: ${messageOf(error)}`, command };
  }
}

/** Only the waiting for it ends: the janitor takes over as soon as the runner is gone. */
function unlessAbandoned<T>(operation: Promise<T>, abandon: AbortSignal): Promise<T> {
  const abandoned = new Promise<never>((_, reject) => {
    const giveUp = (): void => {
      reject(new Error('interrupted a second time: the janitor destroys it in the background'));
    };
    if (abandon.aborted) giveUp();
    else abandon.addEventListener('abort', giveUp, { once: true });
  });
  return Promise.race([operation, abandoned]);
}
