import { messageOf } from '../runners/errors.js';
import { composeWay } from './compose.js';
import { shown } from './figure-table.js';
import { floorWay } from './floor.js';
import { ownWay } from './ours.js';
import type { BenchPart, BenchTable } from './part.js';
import { blueprintOfProfile } from './rounds.js';
import type { Site } from './site.js';
import { spreadOf, type Figure } from './statistics.js';
import type { Place, Way } from './way.js';

const profile = 'small';
const counts = [1, 2, 4, 8];

export const parallel: BenchPart = {
  name: 'parallel',
  rounds: 1,
  describe: `environments of profile ${profile} ready per minute, ${counts.join(', ')} at once`,
  async run(site, rounds) {
    const blueprint = await blueprintOfProfile(site, profile);
    const ways = [ownWay(site), floorWay(site.docker, blueprint)];
    // What waits for its own intervals waits as long in each round.
    const onceOnly = [composeWay(site, blueprint, 1), composeWay(site, blueprint)];
    const isWanted = ({ kind }: Way): boolean => site.kinds.includes(kind);
    const perMinute = new Map<string, number[]>();
    const problems: string[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      for (const count of counts) {
        for (const way of (round === 1 ? [...ways, ...onceOnly] : ways).filter(isWanted)) {
          if (site.signal.aborted) break;
          const title = nameOf(way.name, count);
          const step = site.progress.step(`round ${String(round)} of ${String(rounds)}: ${title}`);
          try {
            const readyMs = await atOnce(site, way, count);
            perMinute.set(title, [...(perMinute.get(title) ?? []), (count * 60_000) / readyMs]);
            step.done(`all ready after ${(readyMs / 1000).toFixed(1)} s`);
          } catch (error) {
            step.fail(messageOf(error));
            problems.push(`${title}: ${messageOf(error)}`);
          }
        }
      }
    }
    const figures = [...perMinute].map(([name, values]): Figure => ({ name, unit: '1/min', values }));
    const names = [...ways, ...onceOnly].filter(isWanted).map(({ name }) => name);
    return { figures, tables: [tableOf(names, figures)], problems: site.signal.aborted ? [] : problems };
  },
};

const nameOf = (way: string, count: number): string => `${way}, ${String(count)} at once`;

/** @returns how long it took until all were ready. @throws Error when one of them failed. */
async function atOnce(site: Site, way: Way, count: number): Promise<number> {
  const work = async (places: readonly Place[]): Promise<number> => {
    const startedMs = performance.now();
    const ups = await Promise.allSettled(places.map((place) => place.up(site.signal)));
    const readyMs = performance.now() - startedMs;
    const downs = await Promise.allSettled(places.map((place) => place.down()));
    const failures = [...ups, ...downs].flatMap((one) => (one.status === 'rejected' ? [one] : []));
    if (failures.length === 0) return readyMs;
    throw new Error(failures.map(({ reason }) => messageOf(reason)).join('\n'));
  };
  const having = (places: readonly Place[]): Promise<number> =>
    places.length === count
      ? work(places)
      : site.withTenant('parallel', profile, async (tenant) =>
          having([...places, await way.prepare(tenant)]),
        );
  return having([]);
}

/** A row per way: environments per minute by count, and how much the most at once gain over one. */
function tableOf(ways: readonly string[], figures: readonly Figure[]): BenchTable {
  const median = (way: string, count: number): number | undefined => {
    const values = figures.find(({ name }) => name === nameOf(way, count))?.values ?? [];
    return values.length === 0 ? undefined : spreadOf(values).median;
  };
  const gain = (way: string): number | undefined => {
    const [one, most] = [median(way, counts[0] ?? 1), median(way, counts.at(-1) ?? 1)];
    return one === undefined || most === undefined ? undefined : most / one;
  };
  const floorGain = gain('floor');
  const text = (value: number | undefined): string => (value === undefined ? '-' : shown(value));
  return {
    title: `Environments of profile ${profile} ready per minute, medians`,
    rows: {
      head: ['', ...counts.map((count) => `${String(count)} at once`), 'gain', "of the floor's gain"],
      rows: ways.map((way) => {
        const own = gain(way);
        const share = own === undefined || floorGain === undefined ? undefined : (100 * own) / floorGain;
        return [
          way,
          ...counts.map((count) => text(median(way, count))),
          text(own),
          share === undefined ? '-' : `${share.toFixed(0)} %`,
        ];
      }),
    },
  };
}
