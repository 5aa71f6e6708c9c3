import { waitUntil } from '../wait.js';
import { TunnelError, type TunnelProblem } from './failure.js';
import { describeTarget, type SshTarget } from './target.js';
import { ensureTunnel } from './tunnel.js';

interface AwaitOptions {
  /** What another attempt may find otherwise; anything else ends the wait at once. */
  passing: readonly TunnelProblem[];
  /** For all attempts; one is made whatever it is. */
  deadlineMs: number;
  signal?: AbortSignal;
}

const pauseMs = 250;

/**
 * Waits for a host that is on its way, or on its way back.
 * @throws TunnelError of the last attempt; the signal's reason.
 */
export async function awaitTunnel(
  folder: string,
  target: SshTarget,
  { passing, deadlineMs, signal }: AwaitOptions,
): Promise<void> {
  let last: unknown;
  const ofSignal = signal === undefined ? {} : { signal };
  const attempt = (): Promise<boolean> =>
    ensureTunnel(folder, target, ofSignal).then(
      () => true,
      (error: unknown) => {
        if (!(error instanceof TunnelError) || !passing.includes(error.problem)) throw error;
        last = error;
        return false;
      },
    );
  const wait = { what: describeTarget(target), deadlineMs, intervalMs: pauseMs, ...ofSignal };
  try {
    await waitUntil(attempt, Boolean, wait);
  } catch (error) {
    signal?.throwIfAborted();
    throw last ?? error;
  }
}
