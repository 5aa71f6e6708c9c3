import { setTimeout as sleep } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  },
};

export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError';
  constructor(
    what: string,
    readonly deadlineMs: number,
    /** What the last probe returned or threw. */
    readonly lastSeen: unknown,
  ) {
    super(`${what}: not reached within ${String(deadlineMs / 1000)} s`, { cause: lastSeen });
  }
}

export interface WaitOptions {
  /** What is waited for, for the error's message. */
  what: string;
  deadlineMs: number;
  intervalMs: number;
  clock?: Clock;
  signal?: AbortSignal;
}

/**
 * Calls `probe` until `predicate` accepts its value, and returns that value. An error that the probe throws
 * ends the wait at once: a probe turns what is worth waiting for into a value.
 * @throws DeadlineExceededError with the last value seen; whatever the probe throws; the signal's reason.
 */
export async function waitUntil<T>(
  probe: () => Promise<T>,
  predicate: (value: T) => boolean,
  { what, deadlineMs, intervalMs, clock = systemClock, signal }: WaitOptions,
): Promise<T> {
  const start = clock.now();
  for (;;) {
    signal?.throwIfAborted();
    const value = await probe();
    if (predicate(value)) return value;
    if (clock.now() - start >= deadlineMs) throw new DeadlineExceededError(what, deadlineMs, value);
    await clock.sleep(intervalMs, signal);
  }
}
