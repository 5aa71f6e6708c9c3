import path from 'node:path';
import { waitUntil } from '../engine/wait.js';
import { messageOf } from './errors.js';
import { leaveEngine, placeOf } from './hosts/engine-at.js';
import { readLeases, settleLease } from './leases.js';
import { isProvablyDead } from './owner.js';
import { pulumiStacks } from './stack.js';
import { takeOver } from './take-over.js';

/** What the janitor needs to know of the run that it is there for; the rest is in its environment. */
export interface JanitorRequest {
  runId: string;
  checkout: string;
  /** Absolute path of the Pulumi CLI. */
  pulumi: string;
  /** Of the run's artifacts. */
  folder: string;
}

const ownerDeadlineMs = 60_000;
const ownerIntervalMs = 50;

/** Destroys every stack of a run whose runner has died. What it does and can't do goes to stdout. */
export async function tidyUp({ runId, checkout, pulumi, folder }: JanitorRequest): Promise<void> {
  const stacks = pulumiStacks(pulumi, process.env, checkout);
  const { leases, unreadable } = await readLeases();
  for (const { stack, reason } of unreadable) {
    // A stack is called after its run.
    if (!stack.includes(`-${runId}-`)) continue;
    console.log(`${new Date().toISOString()} ${stack}: its lease can't be read: ${reason}`);
    process.exitCode = 1;
  }
  // What was kept for a look has its own time.
  for (const lease of leases.filter((candidate) => candidate.runId === runId && !candidate.standing)) {
    console.log(
      `${new Date().toISOString()} the runner has ended without destroying ${lease.stack}: taking over`,
    );
    try {
      // The pipe closes a moment before the process is gone.
      await waitUntil(() => Promise.resolve(isProvablyDead(lease.owner)), Boolean, {
        what: `the end of process ${String(lease.owner.pid)}`,
        deadlineMs: ownerDeadlineMs,
        intervalMs: ownerIntervalMs,
      });
      const onLine = (line: string): void => {
        console.log(line);
      };
      const own = path.join(folder, lease.suite, 'janitor');
      await settleLease(lease, async () => {
        const engine = await placeOf(lease);
        await takeOver(lease, { stacks, engine, clouds: [], folder: own, onLine });
      });
      await leaveEngine(lease.dockerHost);
      console.log(`${new Date().toISOString()} ${lease.stack} is destroyed`);
    } catch (error) {
      console.log(`${new Date().toISOString()} ${lease.stack}: ${messageOf(error)}`);
      process.exitCode = 1;
    }
  }
}
