import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { serviceNames } from '../components/services.js';
import { withDeadline } from './deadline.js';
import type { Scope } from './docker.js';
import { messageOf } from './errors.js';
import { faultOf } from './event-watch.js';
import { collectEvidence } from './evidence.js';
import { lastLinesOf, outcomeOfFault } from './faults.js';
import { environmentFileName } from './plan.js';
import { outcomeOfError, prepare, type CycleContext, type Preparation, type Up } from './preparation.js';
import { redactDeep, secretsOfEndpoints, secretVariablesOf } from './redact.js';
import type { Destruction, Outcome, SuiteRecord } from './report/record.js';
import { explain } from './report/terminal.js';
import { removeStrays } from './strays.js';
import { judge } from './suite-runner.js';
import type { Suite } from './suites.js';
import type { Mark } from './timeline.js';

const destroyTimeoutMs = 2 * 60_000;
const patienceMs = 10_000;

/** One suite in an environment of its own, from its beginning to its end. Never rejects. */
export async function rehearseSuite(suite: Suite, context: CycleContext): Promise<SuiteRecord> {
  return rehearseIn(await prepare(suite, context, () => true), context, () => undefined);
}

/**
 * One suite in the environment that was prepared for it: suite, evidence, destroy. Never rejects: what goes wrong is
 * in the record, the first error as the outcome and what went wrong while tidying up beside it.
 * @param onFree told when the next suite may begin although this one's environment isn't destroyed yet.
 */
export async function rehearseIn(
  turn: Preparation,
  context: CycleContext,
  onFree: () => void,
): Promise<SuiteRecord> {
  const { plan, interruption, engine, timeline } = context;
  const { suite, live, durations } = turn;
  durations.turnWaitMs = (durations.turnWaitMs ?? 0) + performance.now() - turn.readyAtMs;
  let outcome: Outcome;
  try {
    outcome = 'failure' in turn.result ? turn.result.failure : await runSuite(turn, turn.result, context);
  } catch (error) {
    outcome = outcomeOfError(error, live, interruption.stop);
  }
  const suiteEndedMs = Date.now();
  const notUp =
    outcome.kind === 'interrupted' ? 'the suite had not begun' : 'the environment did not come up';
  await live.events?.settled();
  // What happens to the environment from here on is in the record, but the suite has ended without it.
  const fault = faultOf(live.events, suiteEndedMs);
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
  const endedMs = Date.now();
  timeline.span(suite.name, 'evidence', suiteEndedMs, endedMs);
  await timeline.addContainers(suite.name, turn.folder);
  const destruction = await destroy(turn, outcome, context, onFree);
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
    preparedAhead: turn.ahead,
    durations: { ...durations, totalMs: totalOf(turn) },
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

/** How long there was something to do for a suite: its waits for others are theirs. */
function totalOf({ startedAtMs, durations: { memoryWaitMs = 0, turnWaitMs = 0 } }: Preparation): number {
  return performance.now() - startedAtMs - memoryWaitMs - turnWaitMs;
}

const unmeasured = (reason: string): { measured: false; reason: string } => ({ measured: false, reason });

async function runSuite(
  { suite, folder, inPhase, over: signal, live }: Preparation,
  { events, outputs: { endpoints, services } }: Up,
  { plan, engine, suites }: CycleContext,
): Promise<Outcome> {
  signal.throwIfAborted();
  const environmentFile = path.join(folder, environmentFileName);
  await writeFile(environmentFile, JSON.stringify(endpoints), { mode: 0o600 });
  const containers = serviceNames.map((service) => {
    const { containerId, memoryMb } = services[service];
    return { service, containerId, limitMb: memoryMb };
  });
  live.memory = await engine.sampleMemory(containers, path.join(folder, 'memory.jsonl'), events);

  await events.settled();
  signal.throwIfAborted();

  live.phase = 'suite';
  const run = await inPhase(
    'suiteMs',
    async (onLine) => {
      const secrets = secretsOfEndpoints(endpoints);
      const request = { suite, environmentFile, folder, users: plan.users, secrets, signal, onLine };
      live.run = await suites.run(request);
      // However the suite ended: it no longer had the environment that it was promised.
      await events.settled();
      events.fault.throwIfAborted();
      return live.run;
    },
    (ended) => explain(judge(ended), [])[0],
  );
  return judge(run);
}

async function destroy(
  { suite, stackName: name, folder, scope, inPhase, live: { stack, outputs } }: Preparation,
  outcome: Outcome,
  context: CycleContext,
  onFree: () => void,
): Promise<Destruction> {
  const { plan, leases, engine, interruption, timeline, comingUp } = context;
  const onMark = (mark: Mark): void => {
    timeline.mark(suite.name, mark);
  };
  if (stack === undefined) return { kind: 'nothing made' };
  const { destroyCommand: command } = stack;
  const failed = outcome.kind !== 'passed' && outcome.kind !== 'interrupted';
  if (plan.keepOnFailure && failed) return { kind: 'kept', command, until: await leases.keep(name) };
  // Pulumi removes the dead in the order of their dependencies, and faster than the living.
  const vacated = vacate(name, scope, context).catch(() => undefined);
  try {
    // With a host of its own each, none is in another's way.
    if (plan.aws === undefined && !interruption.stop.aborted) {
      onFree();
      await unlessAbandoned(
        vacated.then(() => endOf(comingUp)),
        interruption.abandon,
      );
    }
    await inPhase('destroyMs', (onLine) => {
      const whole = async (): Promise<void> => {
        // The state of one that came up knows all that there is.
        if (outputs === undefined) await removeStrays(stack, engine, scope);
        await stack.destroy({ timeoutMs: destroyTimeoutMs, onLine, onMark });
        await vacated;
      };
      return unlessAbandoned(whole(), interruption.abandon);
    });
    await rm(path.join(folder, environmentFileName), { force: true });
    const leftovers = await engine.leftovers(scope);
    return leftovers.length === 0 ? { kind: 'destroyed' } : { kind: 'left over', leftovers };
  } catch (error) {
    return { kind: 'failed', message: `${suite.name}: ${messageOf(error)}`, command };
  }
}

/** The next environment may come up while Pulumi removes what is dead. */
async function vacate(stack: string, scope: Scope, { engine, leases, room }: CycleContext): Promise<void> {
  await engine.kill(scope);
  await leases.vacate(stack);
  room.lookAgain();
}

/**
 * What comes up meanwhile is waited for, and would wait itself while the Docker Engine removes the dead, whom nobody
 * waits for. Not for long, though: it may be waiting for memory that others have.
 */
async function endOf(comingUp: ReadonlySet<Promise<unknown>>): Promise<void> {
  const all = Promise.allSettled(comingUp);
  await withDeadline('what comes up', patienceMs, all).catch(() => undefined);
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
