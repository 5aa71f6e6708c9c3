import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { environment, sessionArguments, sshClient } from './client.js';

/** The clock of a host against ours. */
export interface HostClock {
  /** Negative when it is behind. */
  aheadMs: number;
  /** It may be that much more or less: nobody knows where on the way the answer was written. */
  uncertaintyMs: number;
}

const rounds = 8;
const deadlineMs = 10_000;
const askRepeatedly = "sh -c 'while read line; do date +%s%N; done'";

/**
 * Compares the clocks over the connection that is there: of several answers the one that came quickest tells most.
 * @throws Error when the host gives no answer that is a time.
 */
export async function compareClocks(folder: string): Promise<HostClock> {
  const child = spawn(sshClient(), sessionArguments(folder, askRepeatedly), {
    env: environment(),
    stdio: ['pipe', 'pipe', 'ignore'],
    signal: AbortSignal.timeout(deadlineMs),
  });
  const failed = new Promise<never>((_, reject) => {
    child.on('error', reject);
    child.stdin.on('error', reject);
  });
  failed.catch(() => undefined);
  const lines = createInterface({ input: child.stdout });
  const answers: AsyncIterator<string, undefined> = lines[Symbol.asyncIterator]();
  let best: HostClock | undefined;
  try {
    for (let round = 0; round < rounds; round += 1) {
      const [askedMs, startMs] = [Date.now(), performance.now()];
      child.stdin.write('\n');
      const { value, done } = await Promise.race([answers.next(), failed]);
      const tookMs = performance.now() - startMs;
      const hostMs = Number(value) / 1e6;
      if (done === true || !Number.isFinite(hostMs)) {
        throw new Error(`the host's clock can't be read: "date +%s%N" says ${JSON.stringify(value ?? '')}`);
      }
      const reading = { aheadMs: hostMs - (askedMs + tookMs / 2), uncertaintyMs: tookMs / 2 };
      if (best === undefined || reading.uncertaintyMs < best.uncertaintyMs) best = reading;
    }
  } finally {
    child.stdin.end();
    child.kill();
  }
  // Our own clock is read in whole milliseconds.
  const { aheadMs, uncertaintyMs } = best as HostClock;
  return { aheadMs: aheadMs - 0.5, uncertaintyMs: uncertaintyMs + 0.5 };
}
