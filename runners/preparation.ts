import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { configNamespace } from '../components/config.js';
import type { Outputs } from '../components/outputs.js';
import type { Progress } from '../engine/progress.js';
import type { ContainerEngine, Scope } from './docker.js';
import { messageOf } from './errors.js';
import type { EventWatch } from './event-watch.js';
import type { LeaseBook } from './lease-book.js';
import type { MemoryWatch } from './memory.js';
import { stackName } from './names.js';
import { phasesOf, showWaiting, type Durations, type RunPhase } from './phases.js';
import type { Plan } from './plan.js';
import type { Outcome, Phase } from './report/record.js';
import type { Room } from './room.js';
import type { Stack, StackEngine } from './stack.js';
import type { SuiteRun, SuiteRunner } from './suite-runner.js';
import type { Suite } from './suites.js';
import type { Timeline } from './timeline.js';

export interface Dependencies {
  room: Room;
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
  timeline: Timeline;
  /** Environments of the run that Pulumi is bringing up, or getting ready to. */
  comingUp: Set<Promise<unknown>>;
}

/** What is known so far of a suite's environment. Filled in as it comes up, read when it goes down. */
interface Live {
  phase: Phase;
  stack?: Stack;
  events?: EventWatch;
  memory?: MemoryWatch;
  outputs?: Outputs;
  run?: SuiteRun;
}

/** An environment that is up. */
export interface Up {
  events: EventWatch;
  outputs: Outputs;
}

/** What belongs to one suite, from the beginning of its preparation. */
interface Turn {
  suite: Suite;
  stackName: string;
  /** The suite's own, in the run's. */
  folder: string;
  scope: Scope;
  inPhase: RunPhase;
  live: Live;
  durations: Durations;
  /** By the clock that only ever ticks. */
  startedAtMs: number;
}

/** A suite's environment, as far as it came up. */
export interface Preparation extends Turn {
  /** The failure is why no suite can run. */
  result: Up | { failure: Outcome };
  /** Aborts, or has, when no suite is to run in it (any more). */
  over: AbortSignal;
  /** It was there before anybody had a use for it. */
  ahead: boolean;
  /** By the clock that only ever ticks. */
  readyAtMs: number;
}

const upTimeoutMs = 5 * 60_000;
/** An instance has to start, and to get Docker and the images. */
const upTimeoutWithInstanceMs = 15 * 60_000;

/**
 * Brings a suite's environment up, as soon as the host has the memory. Never rejects: what goes wrong is its
 * failure, and what is up by then stays to be destroyed.
 * @param isNeeded whether the suite could begin.
 */
export async function prepare(
  suite: Suite,
  context: CycleContext,
  isNeeded: () => boolean,
): Promise<Preparation> {
  const { plan, progress, interruption } = context;
  const durations: Durations = {};
  const live: Live = { phase: 'create' };
  const turn: Turn = {
    suite,
    stackName: stackName(plan.labels.branch, plan.runId, suite.name),
    folder: path.join(plan.folder, suite.name),
    scope: { runId: plan.runId, suite: suite.name },
    inPhase: phasesOf(suite.name, progress, durations, context.timeline),
    live,
    durations,
    startedAtMs: performance.now(),
  };
  let prepared: Pick<Preparation, 'result' | 'over'>;
  try {
    const result = await bringUp(turn, context, isNeeded);
    prepared = { result, over: AbortSignal.any([interruption.stop, result.events.fault]) };
  } catch (error) {
    const failure = outcomeOfError(error, live, interruption.stop);
    prepared = { result: { failure }, over: AbortSignal.abort() };
  }
  return { ...turn, ...prepared, ahead: !isNeeded(), readyAtMs: performance.now() };
}

async function bringUp(
  { suite, stackName: name, folder, scope, inPhase, live, durations }: Turn,
  { plan, room, leases, stacks, engine, interruption, progress, timeline, comingUp }: CycleContext,
  isNeeded: () => boolean,
): Promise<Up> {
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
  // An empty stack needs no memory: it is made while others use theirs.
  const stack = await inPhase('createMs', () => stacks.create({ name, folder, settings }));
  live.stack = stack;

  const events = await engine.watchEvents(scope);
  live.events = events;
  const noRoom = new AbortController();
  let tell: (line: string) => void = () => undefined;
  const up = (mayStart?: Promise<void>): Promise<Outputs> => {
    const outputs = stack.up({
      timeoutMs: plan.aws === undefined ? upTimeoutMs : upTimeoutWithInstanceMs,
      signal: AbortSignal.any([interruption.stop, events.fault, noRoom.signal]),
      onLine: (line) => {
        tell(line);
      },
      onMark: (mark) => {
        timeline.mark(suite.name, mark);
      },
      mayStart,
    });
    comingUp.add(outputs);
    const forget = (): void => void comingUp.delete(outputs);
    outputs.then(forget, forget);
    return outputs;
  };

  const waiting = showWaiting(suite.name, progress, durations);
  const entered = room.enter(name, plan.environment.memoryMb, () => leases.occupy(name), {
    signal: interruption.stop,
    isNeeded,
    onWait: waiting.tell,
  });
  // While others use the memory Pulumi gets ready. Who is next waits for them only; others may wait for long, and a
  // CLI that waits takes memory, too.
  const begun = isNeeded() ? undefined : up(entered);
  begun?.catch(() => undefined);
  try {
    await entered;
  } catch (error) {
    noRoom.abort();
    await begun?.catch(() => undefined);
    throw error;
  } finally {
    waiting.end();
  }
  live.phase = 'up';
  const outputs = await inPhase('upMs', (onLine) => {
    tell = onLine;
    return begun ?? up();
  });
  live.outputs = outputs;
  live.phase = 'prepare';
  return { events, outputs };
}

/** A fault of the environment or an interruption explains whatever else went wrong by it. */
export function outcomeOfError(error: unknown, { phase, events }: Live, stop: AbortSignal): Outcome {
  if (events?.fault.aborted === true) {
    return { kind: 'errored', phase, message: messageOf(events.fault.reason) };
  }
  if (stop.aborted) return { kind: 'interrupted', phase };
  return { kind: 'errored', phase, message: messageOf(error) };
}
