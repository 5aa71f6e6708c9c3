import { composeWay } from './compose.js';
import { figureRows, type Reference } from './figure-table.js';
import { floorWay } from './floor.js';
import { ownWay, partsOfUp } from './ours.js';
import type { BenchPart, Measured } from './part.js';
import { blueprintOfProfile, inRounds, type Cycle } from './rounds.js';
import type { Site } from './site.js';
import type { Figure } from './statistics.js';

const profile = 'standard';
const own = 'ours';

export const ready: BenchPart = {
  name: 'ready',
  rounds: 5,
  describe: 'time from the start of the command until all services are ready',
  run: async (site, rounds) => {
    const { cycles, problems } = await cyclesOf(site, rounds);
    return measured('Ready, s', upFigures(cycles), problems);
  },
};

export const destroy: BenchPart = {
  name: 'destroy',
  rounds: 5,
  describe: 'time until everything is gone, for ours with the look for leftovers',
  run: async (site, rounds) => {
    const { cycles, problems } = await cyclesOf(site, rounds);
    const figures = namesOf(cycles).map((way) => secondsOf(way, cycles, way, ({ downMs }) => downMs));
    return measured('Destroy, s', figures, problems);
  },
};

type Cycles = Awaited<ReturnType<typeof inRounds>>;
const known = new WeakMap<Site, Promise<Cycles>>();

/** Both parts have the same rounds. */
function cyclesOf(site: Site, rounds: number): Promise<Cycles> {
  const cycles = known.get(site) ?? measure(site, rounds);
  known.set(site, cycles);
  return cycles;
}

async function measure(site: Site, rounds: number): Promise<Cycles> {
  const blueprint = await blueprintOfProfile(site, profile);
  const ways = [
    ownWay(site),
    floorWay(site.docker, blueprint),
    composeWay(site, blueprint, 1),
    composeWay(site, blueprint),
  ];
  return inRounds(site, ways, rounds, profile);
}

const namesOf = (cycles: readonly Cycle[]): string[] => [...new Set(cycles.map(({ way }) => way))];

function secondsOf(
  name: string,
  cycles: readonly Cycle[],
  way: string,
  msOf: (cycle: Cycle) => number | undefined,
): Figure {
  const values = cycles.filter((cycle) => cycle.way === way).flatMap((cycle) => msOf(cycle) ?? []);
  return { name, unit: 's', values: values.map((ms) => ms / 1000) };
}

function upFigures(cycles: readonly Cycle[]): Figure[] {
  const part = (name: string, key: string): Figure =>
    secondsOf(`ours: ${name}`, cycles, own, ({ parts }) => parts[key]);
  return [
    part('all services answer', partsOfUp.ready),
    secondsOf('ours: the command has ended', cycles, own, ({ readyMs }) => readyMs),
    { ...part('thereof stack made', partsOfUp.create), isPart: true },
    { ...part('thereof pulumi up', partsOfUp.up), isPart: true },
    ...namesOf(cycles)
      .filter((way) => way !== own)
      .map((way) => secondsOf(way, cycles, way, ({ readyMs }) => readyMs)),
  ];
}

function measured(title: string, figures: readonly Figure[], problems: readonly string[]): Measured {
  const named = (name: string): Figure | undefined => figures.find((figure) => figure.name === name);
  const references: Reference[] = [
    { title: '÷ floor', figure: named('floor'), way: 'of the reference' },
    { title: 'compose 1 s ÷', figure: named('compose, 1 s'), way: 'of the figure' },
    { title: 'compose, own ÷', figure: named('compose, own intervals'), way: 'of the figure' },
  ];
  return { figures, tables: [{ title, rows: figureRows(figures, references) }], problems };
}
