import type { Crash } from './report/record.js';

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

function evidenceOf(event: ContainerEvent): string {
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

/**
 * What befell the services between `up` and destroy: of each its end, and of every other kind the first. Nothing
 * in an environment is meant to end before destroy, so every end counts; an OOM kill of a child alone counts
 * although the container runs on.
 */
export function findCrashes(
  events: readonly ContainerEvent[],
  states: readonly ContainerState[],
  expectedServices: readonly string[],
): Crash[] {
  return expectedServices.flatMap((service) => {
    const own = events.filter((event) => event.service === service);
    const state = states.find((candidate) => candidate.service === service);
    const end = endOf(service, own, state);
    return [...(end === undefined ? [] : [end]), ...disturbancesOf(own)];
  });
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

function endOf(
  service: string,
  events: readonly ContainerEvent[],
  state: ContainerState | undefined,
): Crash | undefined {
  const oom = events.find(({ action }) => action === 'oom');
  const die = events.find((event) => event.action === 'die');
  const kill = die === undefined ? undefined : events.slice(0, events.indexOf(die)).findLast(isKill);
  const exitCode = die?.exitCode ?? (state?.running === false ? state.exitCode : undefined);
  const crash = (kind: Crash['kind'], evidence: string, event: ContainerEvent | undefined): Crash => ({
    service,
    kind,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(event === undefined ? {} : { at: timeOf(event) }),
    evidence,
  });
  if (oom !== undefined) return crash('oom', evidenceOf(oom), oom);
  if (state?.oomKilled === true) return crash('oom', 'its state says OOMKilled', die);
  if (exitCode !== undefined) {
    const ending = `it ended with exit code ${String(exitCode)}`;
    if (kill !== undefined) return crash('killed', `${evidenceOf(kill)}, ${ending}`, die);
    return crash('exit', ending, die);
  }
  if (state === undefined) return crash('gone', 'its container is no longer there', undefined);
  return undefined;
}

const isKill = ({ action }: ContainerEvent): boolean => action === 'kill';
