import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectDocker } from '../engine/docker.js';
import type { Progress } from '../engine/progress.js';
import { setUp, type EngineEnvironment } from '../engine/setup.js';
import { cloudIn, type Cloud, type Place } from './cloud.js';
import { dockerEngine, type ContainerEngine, type Labelled } from './docker.js';
import { messageOf } from './errors.js';
import { exitCodes } from './exit-codes.js';
import { isGone } from './file-backend.js';
import { planGc, type Found, type GcPlan, type Orphan, type OwnerCheck } from './gc-plan.js';
import { readStates, withoutProlonged } from './gc-states.js';
import { leaveEngine, placeOf, placeOfStack } from './hosts/engine-at.js';
import { readLeases, settleLease, type Lease } from './leases.js';
import { thisMoment } from './moment.js';
import { isElsewhere, isProvablyDead, isUnseen } from './owner.js';
import { regionsOfSettings } from './regions.js';
import { restoreSettings } from './settings-before.js';
import { pulumiStacks, standingStacks, type StandingStacks } from './stack.js';
import { takeOver } from './take-over.js';

const owners: OwnerCheck = {
  isDead: ({ owner }) => isProvablyDead(owner),
  isElsewhere: ({ owner }) => isElsewhere(owner),
  isUnseen: ({ owner }) => isUnseen(owner),
};

export interface GcChoices {
  /** Only says what it would do. */
  dryRun: boolean;
  /** Of AWS, besides those of the checkout's settings. */
  regions: readonly string[];
}

/**
 * Finds what others left, by lease, by label or tag, and by state, and destroys it.
 * @returns the exit code.
 */
export async function collectGarbage(
  { dryRun, regions }: GcChoices,
  checkout: string,
  progress: Progress,
): Promise<number> {
  const environment = await setUp({ progress, images: false, browser: false, installDocker: false });
  const engine = dockerEngine(connectDocker(environment.dockerHost));
  const settings = await regionsOfSettings(checkout);
  const all = await Promise.all([...new Set([...settings.regions, ...regions])].map(cloudIn));
  const { clouds, tagged, silent } = await askClouds(all);
  const context = { environment, engine, clouds, checkout, progress };
  const leases = await readLeases();
  const { states, problems } = await readStates(standingStacks(environment, checkout), leases);
  const here = await engine.everything().catch((error: unknown) => {
    problems.push(`what only the Docker Engine here knows of: ${messageOf(error)}`);
    return [];
  });
  const resources = [...here, ...tagged];
  const { orphans, refused } = await planFor({ leases, resources, states }, context);
  for (const reason of [...settings.problems, ...silent, ...problems, ...refused]) {
    progress.note(`Left alone: ${reason}`);
  }
  if (orphans.length === 0) progress.note('There is nothing to collect.');
  if (dryRun) {
    for (const { stack, reason } of orphans) progress.note(`Would destroy ${stack}: ${reason}`);
    return exitCodes.go;
  }
  const failures = await destroyOrphans(orphans, context);
  // What a region of AWS has costs money: that nobody could look is no good news.
  return failures === 0 && silent.length === 0 ? exitCodes.go : exitCodes.leak;
}

/** @returns those that answer, with all that they have, and why the others don't. */
async function askClouds(
  all: readonly Cloud[],
): Promise<{ clouds: Cloud[]; tagged: Labelled[]; silent: string[] }> {
  const asked = { clouds: [] as Cloud[], tagged: [] as Labelled[], silent: [] as string[] };
  for (const cloud of all) {
    try {
      asked.tagged.push(...(await cloud.everything()));
      asked.clouds.push(cloud);
    } catch (error) {
      asked.silent.push(`what is in ${cloud.region}: ${messageOf(error)}`);
    }
  }
  return asked;
}

interface OrphanContext {
  environment: EngineEnvironment;
  engine: ContainerEngine;
  clouds: readonly Cloud[];
  checkout: string;
  progress: Progress;
  /** When it aborts, nothing more is begun. */
  signal?: AbortSignal;
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
    if (context.signal?.aborted === true) break;
    const step = context.progress.step(`${orphan.stack}: ${orphan.reason}`);
    try {
      await destroyOne(orphan, context, (line) => {
        step.update(line);
      });
      if (orphan.lease !== undefined) await leaveEngine(orphan.lease.dockerHost);
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
  { environment, engine, clouds, checkout, progress }: OrphanContext,
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
        lease === undefined ? await placeOfOrphan(orphan, stacks, engine) : await placeOf(lease);
      const others = lease === undefined ? clouds : [];
      await takeOver({ ...orphan, backend }, { stacks, engine: itsEngine, clouds: others, folder, onLine });
    };
    await (lease === undefined ? work() : settleLease(lease, work));
    const note = await restoreSettings(checkout, orphan.stack);
    if (note !== undefined) progress.note(note);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of one that only its state or only its labels in the engine tell of. */
async function placeOfOrphan({ stack }: Orphan, stacks: StandingStacks, engine: Place): Promise<Place> {
  // A backend that can't be asked tells of no other place than the one where the labels were found.
  const known = await stacks.names().catch((): string[] => []);
  return known.includes(stack) ? placeOfStack(stacks, stack, engine) : engine;
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
  return pulumiStacks(pulumi, { ...process.env, ...env, ...state }, checkout);
}
