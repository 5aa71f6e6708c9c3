import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, uptime } from 'node:os';
import path from 'node:path';
import { connectDocker } from '../engine/docker.js';
import type { Progress } from '../engine/progress.js';
import { setUp, type EngineEnvironment } from '../engine/setup.js';
import { dockerEngine, type ContainerEngine } from './docker.js';
import { messageOf } from './errors.js';
import { exitCodes } from './exit-codes.js';
import { planGc, type Moment, type Orphan, type OwnerCheck } from './gc-plan.js';
import { readLeases, settleLease, type Lease } from './leases.js';
import { isElsewhere, isProvablyDead, thisMachine } from './owner.js';
import { pulumiStacks, type StandingStacks } from './stack.js';
import { takeOver } from './take-over.js';

const owners: OwnerCheck = {
  isDead: ({ owner }) => isProvablyDead(owner),
  isElsewhere: ({ owner }) => isElsewhere(owner),
};
const thisMoment = (): Moment => ({ atMs: Date.now(), uptimeS: uptime(), bootId: thisMachine().bootId });

/**
 * Finds what others left, by lease and by label, and destroys it.
 * @param dryRun only says what it would do.
 * @returns the exit code.
 */
export async function collectGarbage(dryRun: boolean, checkout: string, progress: Progress): Promise<number> {
  const environment = await setUp({ progress, images: false });
  const engine = dockerEngine(connectDocker(environment.dockerHost));
  const leases = await readLeases();
  const { orphans, refused } = planGc(leases, await engine.everything(), owners, thisMoment());
  for (const reason of refused) progress.note(`Left alone: ${reason}`);
  if (orphans.length === 0) progress.note('There is nothing to collect.');
  if (dryRun) {
    for (const { stack, reason } of orphans) progress.note(`Would destroy ${stack}: ${reason}`);
    return exitCodes.go;
  }
  const failures = await destroyOrphans(orphans, { environment, engine, checkout, progress });
  return failures === 0 ? exitCodes.go : exitCodes.leak;
}

interface OrphanContext {
  environment: EngineEnvironment;
  engine: ContainerEngine;
  checkout: string;
  progress: Progress;
}

/** Finishes what runners that have died left unfinished; without a janitor it is the next run that does. */
export async function destroyDeadRunnersStacks(context: OrphanContext): Promise<void> {
  const { orphans } = planGc(await readLeases(), [], owners, thisMoment());
  await destroyOrphans(orphans, context);
}

/** @returns how many couldn't be destroyed. */
async function destroyOrphans(orphans: readonly Orphan[], context: OrphanContext): Promise<number> {
  let failures = 0;
  for (const orphan of orphans) {
    const step = context.progress.step(`${orphan.stack}: ${orphan.reason}`);
    try {
      await destroyOne(orphan, context, (line) => {
        step.update(line);
      });
      step.done('destroyed');
    } catch (error) {
      failures += 1;
      step.fail(messageOf(error));
    }
  }
  return failures;
}

async function destroyOne(
  orphan: Orphan,
  { environment, engine, checkout }: OrphanContext,
  onLine: (line: string) => void,
): Promise<void> {
  const { lease } = orphan;
  const folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-gc-'));
  try {
    const stacks = stacksOf(lease, environment, checkout);
    const itsEngine = lease === undefined ? engine : dockerEngine(connectDocker(lease.dockerHost));
    const legacy = { ...orphan, backend: lease?.backend };
    const work = (): Promise<void> => takeOver(legacy, { stacks, engine: itsEngine, folder, onLine });
    await (lease === undefined ? work() : settleLease(lease, work));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The stacks of the backend that the lease names, by default of this checkout's. */
function stacksOf(
  lease: Lease | undefined,
  { pulumi, env }: EngineEnvironment,
  checkout: string,
): StandingStacks {
  const state =
    lease === undefined
      ? {}
      : {
          ...(lease.backend === '' ? {} : { PULUMI_BACKEND_URL: lease.backend }),
          ...(lease.passphraseFile === null ? {} : { PULUMI_CONFIG_PASSPHRASE_FILE: lease.passphraseFile }),
        };
  return pulumiStacks(pulumi, { ...process.env, ...env, ...state }, checkout, () =>
    Promise.resolve(checkout),
  );
}
