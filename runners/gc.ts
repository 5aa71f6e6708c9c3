import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, uptime } from 'node:os';
import path from 'node:path';
import { connectDocker } from '../engine/docker.js';
import type { Progress } from '../engine/progress.js';
import { setUp, type EngineEnvironment } from '../engine/setup.js';
import { dockerEngine, type ContainerEngine } from './docker.js';
import { messageOf } from './errors.js';
import { exitCodes } from './exit-codes.js';
import { isGone } from './file-backend.js';
import { planGc, type Found, type GcPlan, type Moment, type Orphan, type OwnerCheck } from './gc-plan.js';
import { readStates, withoutProlonged } from './gc-states.js';
import { engineAt, engineOfStack, leaveEngine } from './hosts/engine-at.js';
import { readLeases, settleLease, type Lease } from './leases.js';
import { isElsewhere, isProvablyDead, thisMachine } from './owner.js';
import { pulumiStacks, standingStacks, type StandingStacks } from './stack.js';
import { takeOver } from './take-over.js';

const owners: OwnerCheck = {
  isDead: ({ owner }) => isProvablyDead(owner),
  isElsewhere: ({ owner }) => isElsewhere(owner),
};
const thisMoment = (): Moment => ({ atMs: Date.now(), uptimeS: uptime(), bootId: thisMachine().bootId });

/**
 * Finds what others left, by lease, by label and by state, and destroys it.
 * @param dryRun only says what it would do.
 * @returns the exit code.
 */
export async function collectGarbage(dryRun: boolean, checkout: string, progress: Progress): Promise<number> {
  const environment = await setUp({ progress, images: false, installDocker: false });
  const engine = dockerEngine(connectDocker(environment.dockerHost));
  const context = { environment, engine, checkout, progress };
  const leases = await readLeases();
  const { states, problems } = await readStates(standingStacks(environment, checkout), leases);
  const resources = await engine.everything().catch((error: unknown) => {
    problems.push(`what only the Docker Engine here knows of: ${messageOf(error)}`);
    return [];
  });
  const { orphans, refused } = await planFor({ leases, resources, states }, context);
  for (const reason of [...problems, ...refused]) progress.note(`Left alone: ${reason}`);
  if (orphans.length === 0) progress.note('There is nothing to collect.');
  if (dryRun) {
    for (const { stack, reason } of orphans) progress.note(`Would destroy ${stack}: ${reason}`);
    return exitCodes.go;
  }
  const failures = await destroyOrphans(orphans, context);
  for (const { lease } of orphans) if (lease !== undefined) await leaveEngine(lease.dockerHost);
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
  const { orphans } = await planFor({ leases: await readLeases(), resources: [], states: [] }, context);
  await destroyOrphans(orphans, context);
}

async function planFor(found: Found, { environment, checkout }: OrphanContext): Promise<GcPlan> {
  const now = thisMoment();
  return withoutProlonged(planGc(found, owners, now), now, ({ stack, lease }) =>
    lease !== undefined && isGone(lease.backend)
      ? Promise.resolve(undefined)
      : stacksOf(lease, environment, checkout).extensionOf(stack),
  );
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
  { environment, engine, checkout, progress }: OrphanContext,
  onLine: (line: string) => void,
): Promise<void> {
  const { lease } = orphan;
  const backend = lease?.backend;
  if (backend !== undefined && isGone(backend)) {
    progress.note(`${orphan.stack}: its state is gone with its whole backend, so its labels have to do`);
  }
  const stacks = stacksOf(lease, environment, checkout);
  const folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-gc-'));
  try {
    const work = async (): Promise<void> => {
      const itsEngine =
        lease === undefined ? await engineOfOrphan(orphan, stacks, engine) : await engineAt(lease.dockerHost);
      await takeOver({ ...orphan, backend }, { stacks, engine: itsEngine, folder, onLine });
    };
    await (lease === undefined ? work() : settleLease(lease, work));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of one that only its state or only its labels in the engine tell of. */
async function engineOfOrphan(
  { stack }: Orphan,
  stacks: StandingStacks,
  engine: ContainerEngine,
): Promise<ContainerEngine> {
  return (await stacks.names()).includes(stack) ? engineOfStack(stacks, stack, engine) : engine;
}

/** The stacks of the backend that the lease names, by default of this checkout's. */
function stacksOf(
  lease: Lease | undefined,
  environment: EngineEnvironment,
  checkout: string,
): StandingStacks {
  if (lease === undefined) return standingStacks(environment, checkout);
  const { pulumi, env } = environment;
  const state = {
    ...(lease.backend === '' ? {} : { PULUMI_BACKEND_URL: lease.backend }),
    ...(lease.passphraseFile === null
      ? {}
      : // A passphrase of our own environment would win over the file.
        { PULUMI_CONFIG_PASSPHRASE_FILE: lease.passphraseFile, PULUMI_CONFIG_PASSPHRASE: undefined }),
  };
  return pulumiStacks(pulumi, { ...process.env, ...env, ...state }, checkout, () =>
    Promise.resolve(checkout),
  );
}
