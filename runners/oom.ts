import type { ServiceName } from '../components/services.js';
import { killedCode } from '../engine/oom-kill.js';
import type { Crash, Memory } from './report/record.js';

/** What the engine reports of a container of the environment. */
export type ContainerEvent = { service: string; atMs: number } & (
  | { action: 'oom' | 'pause' | 'unhealthy' }
  /** It was taken off its network. */
  | { action: 'cut off' }
  /** A signal was sent to it through the engine. */
  | { action: 'kill'; signal: string }
  | { action: 'die'; exitCode: number }
);

/** What `docker inspect` says while the environment still stands. */
export interface ContainerState {
  service: string;
  running: boolean;
  oomKilled: boolean;
  exitCode: number;
}

/** Whether a suite can't go on after it. An OOM kill of a child alone, and many a signal, a service survives. */
export function endsSuite({ action }: ContainerEvent): boolean {
  return action !== 'oom' && action !== 'kill';
}

export function describeEvent(event: ContainerEvent): string {
  return `${event.service}: ${evidenceOf(event)}`;
}

/** Without the service's name. */
export function evidenceOf(event: ContainerEvent): string {
  switch (event.action) {
    case 'oom':
      return 'the engine reported an OOM kill in it';
    case 'kill':
      return `signal ${event.signal} was sent to it through the engine`;
    case 'die':
      return `it ended with exit code ${String(event.exitCode)}`;
    case 'pause':
      return 'it was paused';
    case 'unhealthy':
      return 'its health check failed too often';
    case 'cut off':
      return 'it was taken off its network';
  }
}

/** Everything that tells of a service's end. */
export interface Traces {
  events: readonly ContainerEvent[];
  states: readonly ContainerState[];
  /** What was sampled while they lived, with the kernel's counts. */
  memory?: Memory | undefined;
  /** Processes that met a limit of their own, as their logs say. */
  exhaustions: readonly Crash[];
}

/**
 * What befell the services between `up` and destroy: of each its end, and of every other kind the first. Nothing
 * in an environment is meant to end before destroy, so every end counts; memory that ran out counts although the
 * container runs on.
 */
export function findCrashes(traces: Traces, expectedServices: readonly string[]): Crash[] {
  return expectedServices
    .flatMap((service) => {
      const events = traces.events.filter((event) => event.service === service);
      const exhaustions = traces.exhaustions.filter((crash) => crash.service === service);
      const ends = endsOf(service, events, exhaustions, traces);
      // The end says it already.
      const survived = ends.some(({ kind }) => kind === 'exhausted') ? [] : exhaustions;
      return [...ends, ...survived, ...disturbancesOf(events)];
    })
    .map((crash) => withMemory(crash, traces.memory));
}

function withMemory(crash: Crash, memory: Memory | undefined): Crash {
  const { limitMb, peakMb, kernelPeakMb } = countsOf(crash.service, memory);
  if (limitMb === undefined || peakMb === undefined) return crash;
  return { ...crash, memory: { limitMb, peakMb, ...(kernelPeakMb === undefined ? {} : { kernelPeakMb }) } };
}

const timeOf = ({ atMs }: ContainerEvent): string => new Date(atMs).toISOString();

const kinds = { pause: 'paused', unhealthy: 'unhealthy', 'cut off': 'cut off' } as const;

function disturbancesOf(events: readonly ContainerEvent[]): Crash[] {
  return Object.entries(kinds).flatMap(([action, kind]): Crash[] => {
    const event = events.find((candidate) => candidate.action === action);
    if (event === undefined) return [];
    return [{ service: event.service, kind, at: timeOf(event), evidence: evidenceOf(event) }];
  });
}

/** Any code above is that of a signal. */
const highestOwnCode = 128;

/** Whether a service was killed, and nothing says by whom. */
export const endsUnexplained = (events: readonly ContainerEvent[]): boolean =>
  events.some(
    (end) =>
      end.action === 'die' &&
      end.exitCode === killedCode &&
      !events.some(
        ({ service, action }) => service === end.service && (action === 'oom' || action === 'kill'),
      ),
  );

/** Its end, or what it survived of that kind, or both. */
function endsOf(
  service: string,
  events: readonly ContainerEvent[],
  exhaustions: readonly Crash[],
  { states, memory }: Traces,
): Crash[] {
  const state = states.find((candidate) => candidate.service === service);
  const oom = events.find(({ action }) => action === 'oom');
  const die = events.find((event) => event.action === 'die');
  const exitCode = die?.exitCode ?? (state?.running === false ? state.exitCode : undefined);
  const crash = ({ kind, evidence }: Cause, event: ContainerEvent | undefined): Crash => ({
    service,
    kind,
    ...(event === undefined ? {} : { at: timeOf(event) }),
    evidence,
  });
  const fatal = (cause: Cause, event: ContainerEvent | undefined): Crash => ({
    ...crash(cause, event),
    ...(exitCode === undefined ? {} : { exitCode }),
  });
  const kernelKill = wasSpared(events, exitCode, countsOf(service, memory))
    ? undefined
    : kernelKillOf(oom, state, countsOf(service, memory), memory?.host);
  const end = (code: number): Crash => fatal(causeOfExit(code, events, exhaustions[0], memory), die);
  if (kernelKill !== undefined) {
    if (exitCode === undefined || !wasKilledLater(events)) return [fatal(kernelKill, oom ?? die)];
    // A child's: the service itself somebody else has ended.
    return [crash(kernelKill, oom), end(exitCode)];
  }
  if (exitCode !== undefined) return [end(exitCode)];
  return state === undefined
    ? [crash({ kind: 'gone', evidence: 'its container is no longer there' }, undefined)]
    : [];
}

/** Whether a signal was sent to it after its last OOM kill, and then it ended. */
function wasKilledLater(events: readonly ContainerEvent[]): boolean {
  const oomAt = events.findLastIndex(({ action }) => action === 'oom');
  const dieAt = events.findLastIndex(({ action }) => action === 'die');
  return oomAt >= 0 && dieAt > oomAt && events.slice(oomAt, dieAt).some(({ action }) => action === 'kill');
}

type Cause = Pick<Crash, 'kind' | 'evidence'>;
type Counts = NonNullable<Memory['services'][ServiceName]>;

const countsOf = (service: string, memory: Memory | undefined): Partial<Counts> =>
  new Map<string, Counts>(Object.entries(memory?.services ?? {})).get(service) ?? {};

/** So long after the engine's event of an OOM kill the kernel has surely counted it. */
const countedAfterMs = 100;

/** Out of memory was a group that the container is in: the engine tells all of it, but the kernel chose another. */
function wasSpared(
  events: readonly ContainerEvent[],
  exitCode: number | undefined,
  { oomKills, countedAt }: Partial<Counts>,
): boolean {
  const lastOom = events.findLast(({ action }) => action === 'oom');
  if (lastOom === undefined || oomKills !== 0 || countedAt === undefined) return false;
  const killedUnseen = exitCode === killedCode && !events.some(({ action }) => action === 'kill');
  return !killedUnseen && Date.parse(countedAt) >= lastOom.atMs + countedAfterMs;
}

/**
 * A container whose peak stays below it can't have met its limit. (How often a limit was met is a count of the
 * kernel's too, but recent ones leave it at 0.)
 */
const nearShare = 0.9;

export const countOfKills = (oomKills: number): string =>
  `the kernel counts ${String(oomKills)} OOM ${oomKills === 1 ? 'kill' : 'kills'} in it`;

/**
 * From the engine's event, its state and the kernel's own count: each of them can miss what the others saw. (The
 * engine, for one, listens for kills only once a container's first process runs.)
 */
function kernelKillOf(
  oom: ContainerEvent | undefined,
  state: ContainerState | undefined,
  { oomKills = 0, kernelPeakMb, peakMb = 0, limitMb = 0 }: Partial<Counts>,
  host: Memory['host'],
): Cause | undefined {
  const kills = countOfKills(oomKills);
  const evidence = [
    ...(oom === undefined ? [] : [evidenceOf(oom)]),
    ...(state?.oomKilled === true ? ['its state says OOMKilled'] : []),
    ...(oomKills > 0 ? [kills] : []),
  ][0];
  if (evidence === undefined) return undefined;
  const highestMb = kernelPeakMb ?? peakMb;
  if (highestMb >= nearShare * limitMb) return { kind: 'oom', evidence };
  const below = `which never used more than ${highestMb.toFixed(0)} of ${limitMb.toFixed(0)} MiB`;
  // Both were read while it lived.
  if (oomKills > 0 && kernelPeakMb !== undefined) return { kind: 'host oom', evidence: `${kills}, ${below}` };
  // It may have grown after the last look, unless the host explains the kill.
  const shortage = shortageOf(host);
  return shortage === undefined
    ? { kind: 'oom', evidence }
    : { kind: 'host oom', evidence: `${evidence}, ${below}, ${shortage}` };
}

function causeOfExit(
  exitCode: number,
  events: readonly ContainerEvent[],
  exhaustion: Crash | undefined,
  memory: Memory | undefined,
): Cause {
  const ending = `it ended with exit code ${String(exitCode)}`;
  const died = events.findIndex(({ action }) => action === 'die');
  const kill = events.slice(0, Math.max(0, died)).findLast(({ action }) => action === 'kill');
  if (kill !== undefined) return { kind: 'killed', evidence: `${evidenceOf(kill)}, ${ending}` };
  if (exhaustion !== undefined && exitCode > highestOwnCode && exitCode !== killedCode) {
    return { kind: 'exhausted', evidence: `${exhaustion.evidence}; ${ending}` };
  }
  const shortage = exitCode === killedCode ? shortageOf(memory?.host) : undefined;
  if (shortage !== undefined) return { kind: 'host oom', evidence: `${ending}, ${shortage}` };
  return { kind: 'exit', evidence: ending };
}

/** With less than this of its memory left, a host has none. */
const scarceShare = 0.05;

function shortageOf(host: Memory['host']): string | undefined {
  if (host === undefined || host.oomKills === 0) return undefined;
  const { totalMb, leastAvailableMb, oomKills } = host;
  if (leastAvailableMb > scarceShare * totalMb) return undefined;
  return (
    `while the host had ${leastAvailableMb.toFixed(0)} of its ${totalMb.toFixed(0)} MiB left ` +
    `and the kernel killed ${String(oomKills)} processes on it for want of memory`
  );
}
