import type { ProfileName } from '../components/services.js';
import { messageOf } from '../runners/errors.js';
import { readBlueprint, type Blueprint } from './blueprint.js';
import { ownWay } from './ours.js';
import type { Site } from './site.js';
import type { Way } from './way.js';

/** One environment, from nothing to nothing. */
export interface Cycle {
  way: string;
  readyMs: number;
  downMs: number;
  parts: Readonly<Record<string, number>>;
}

/** Brings an environment up and takes it down again, and removes what is left of it if either fails. */
export async function cycle(site: Site, way: Way, title: string, profile: ProfileName): Promise<Cycle> {
  return site.withTenant(title, profile, async (tenant) => {
    const place = await way.prepare(tenant);
    const startedMs = performance.now();
    const parts = await place.up(site.signal).catch(async (error: unknown) => {
      await place.down().catch(() => undefined);
      throw error;
    });
    const readyMs = performance.now();
    await place.down();
    return { way: way.name, readyMs: readyMs - startedMs, downMs: performance.now() - readyMs, parts };
  });
}

/** Everybody in turn, round by round. What fails is a problem, and the others go on. */
export async function inRounds(
  site: Site,
  ways: readonly Way[],
  rounds: number,
  profile: ProfileName,
): Promise<{ cycles: Cycle[]; problems: string[] }> {
  const cycles: Cycle[] = [];
  const problems: string[] = [];
  const isOver = (): boolean => site.signal.aborted;
  for (let round = 1; round <= rounds; round += 1) {
    for (const way of ways.filter(({ kind }) => site.kinds.includes(kind))) {
      if (isOver()) return { cycles, problems };
      const step = site.progress.step(`round ${String(round)} of ${String(rounds)}: ${way.name}`);
      try {
        const done = await cycle(site, way, `round-${String(round)}`, profile);
        cycles.push(done);
        step.done(`${(done.readyMs / 1000).toFixed(2)} s up, ${(done.downMs / 1000).toFixed(2)} s down`);
      } catch (error) {
        if (!isOver()) problems.push(`${way.name}, round ${String(round)}: ${messageOf(error)}`);
        step.fail(messageOf(error));
      }
    }
  }
  return { cycles, problems };
}

const blueprints = new WeakMap<Site, Map<ProfileName, Promise<Blueprint>>>();

/** What an environment of ours comes to; one is brought up for it once, and taken down again. */
export function blueprintOfProfile(site: Site, profile: ProfileName): Promise<Blueprint> {
  const known = blueprints.get(site) ?? new Map<ProfileName, Promise<Blueprint>>();
  blueprints.set(site, known);
  const blueprint = known.get(profile) ?? takeBlueprint(site, profile);
  known.set(profile, blueprint);
  return blueprint;
}

async function takeBlueprint(site: Site, profile: ProfileName): Promise<Blueprint> {
  const step = site.progress.step(`an environment of profile ${profile}, for the others to have the same`);
  try {
    const blueprint = await site.withTenant('blueprint', profile, async (tenant) => {
      const place = await ownWay(site).prepare(tenant);
      try {
        await place.up(site.signal);
        return await readBlueprint(site.docker, place.outputs(), await place.exported());
      } finally {
        await place.down();
      }
    });
    step.done();
    return blueprint;
  } catch (error) {
    step.fail(messageOf(error));
    throw error;
  }
}
