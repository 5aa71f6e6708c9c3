import type { EventWatch } from '../event-watch.js';
import type { ContainerEvent } from '../oom.js';

/**
 * The watch of an environment whose Docker Engine isn't there yet: it begins as soon as that answers.
 * @param begun the watch then; undefined when it came to nothing.
 */
export function lateWatch(begun: Promise<EventWatch | undefined>): EventWatch {
  const fault = new AbortController();
  const listeners: ((event: ContainerEvent) => void)[] = [];
  let watch: EventWatch | undefined;
  let stopped = false;
  let trouble: string | undefined;
  begun.then(
    (started) => {
      watch = started;
      if (started === undefined) return;
      if (stopped) {
        void started.stop();
        return;
      }
      for (const listener of listeners) started.onEvent(listener);
      const tell = (): void => {
        fault.abort(started.fault.reason);
      };
      if (started.fault.aborted) tell();
      else started.fault.addEventListener('abort', tell, { once: true });
    },
    (error: unknown) => {
      trouble = `the engine's events can't be watched: ${String(error)}`;
    },
  );
  return {
    fault: fault.signal,
    onEvent(listener) {
      listeners.push(listener);
      watch?.onEvent(listener);
    },
    async settled() {
      await watch?.settled();
    },
    async stop() {
      stopped = true;
      return (
        (await watch?.stop()) ?? {
          events: [],
          seen: [],
          ...(trouble === undefined ? {} : { brokenOff: trouble }),
        }
      );
    },
  };
}
