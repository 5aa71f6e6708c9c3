import type { Crash } from './report/record.js';

/** An engine event about a container of the environment. */
export interface ContainerEvent {
  service: string;
  action: 'oom' | 'die';
  atMs: number;
  exitCode?: number;
}

/** What `docker inspect` says while the environment still stands. */
export interface ContainerState {
  service: string;
  running: boolean;
  oomKilled: boolean;
  exitCode: number;
}

/**
 * Which services crashed between `up` and destroy, each once. Nothing in an environment is meant to end before
 * destroy, so every end is a crash; an OOM kill of a child alone counts although the container runs on.
 */
export function findCrashes(
  events: readonly ContainerEvent[],
  states: readonly ContainerState[],
  expectedServices: readonly string[],
): Crash[] {
  return expectedServices.flatMap((service) => {
    const own = events.filter((event) => event.service === service);
    return (
      crashOf(
        service,
        own,
        states.find((state) => state.service === service),
      ) ?? []
    );
  });
}

function crashOf(
  service: string,
  events: readonly ContainerEvent[],
  state: ContainerState | undefined,
): Crash | undefined {
  const oom = events.find(({ action }) => action === 'oom');
  const die = events.find(({ action }) => action === 'die');
  const exitCode = die?.exitCode ?? (state?.running === false ? state.exitCode : undefined);
  const crash = (kind: Crash['kind'], evidence: string, event: ContainerEvent | undefined): Crash => ({
    service,
    kind,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(event === undefined ? {} : { at: new Date(event.atMs).toISOString() }),
    evidence,
  });
  if (oom !== undefined) return crash('oom', 'the engine reported an OOM kill in it', oom);
  if (state?.oomKilled === true) return crash('oom', 'its state says OOMKilled', die);
  if (exitCode !== undefined) return crash('exit', `it ended with exit code ${String(exitCode)}`, die);
  if (state === undefined) return crash('gone', 'its container is no longer there', undefined);
  return undefined;
}
