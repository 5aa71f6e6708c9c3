import { messageOf } from '../runners/errors.js';
import type { RunRecord } from '../runners/report/record.js';
import { composeWay } from './compose.js';
import { figureRows } from './figure-table.js';
import type { BenchPart, Measured } from './part.js';
import { blueprintOfProfile, inRounds } from './rounds.js';
import { runRunner } from './runner-process.js';
import type { Site } from './site.js';
import type { Figure } from './statistics.js';

const users = 10;
/** As many as there are critical suites: that is how often the loop goes round. */
const suiteCount = 5;

export const suites: BenchPart = {
  name: 'suites',
  rounds: 1,
  describe: `the five suites, each in an environment of its own, one after the other, ${String(users)} users`,
  async run(site, rounds): Promise<Measured> {
    const figures: Figure[] = [];
    const problems: string[] = [];
    for (const profile of site.kinds.includes('ours') ? (['standard', 'small'] as const) : []) {
      const own = await ownRuns(site, profile, rounds);
      figures.push(...own.figures);
      problems.push(...own.problems);
    }
    if (!site.kinds.includes('compose')) return measured(figures, problems);
    const blueprint = await blueprintOfProfile(site, 'standard');
    for (const way of [composeWay(site, blueprint, 1), composeWay(site, blueprint)]) {
      const loop = await inRounds(site, [way], suiteCount, 'standard');
      const ms = loop.cycles.reduce((sum, { readyMs, downMs }) => sum + readyMs + downMs, 0);
      problems.push(...loop.problems);
      if (loop.cycles.length < suiteCount) continue;
      figures.push({
        name: `${way.name}: standard, up and down ${String(suiteCount)} times`,
        unit: 's',
        values: [ms / 1000],
      });
    }
    return measured(figures, problems);
  },
};

const measured = (figures: Figure[], problems: string[]): Measured => ({
  figures,
  tables: [{ title: 'Five suites isolated', rows: figureRows(figures, []) }],
  problems,
});

async function ownRuns(
  site: Site,
  profile: 'standard' | 'small',
  rounds: number,
): Promise<{ figures: Figure[]; problems: string[] }> {
  const rows: Record<string, number[]> = {};
  const problems: string[] = [];
  for (let round = 1; round <= rounds && !site.signal.aborted; round += 1) {
    const step = site.progress.step(
      `round ${String(round)} of ${String(rounds)}: the runner, profile ${profile}`,
    );
    try {
      const {
        record,
        wallMs,
        problems: failed,
        tidyUp,
      } = await runRunner(site, ['--profile', profile, '--users', String(users)], {
        onLine: (line) => {
          step.update(line);
        },
      });
      await tidyUp();
      for (const [name, ms] of Object.entries(timesOf(record, wallMs))) (rows[name] ??= []).push(ms / 1000);
      problems.push(...failed.map((problem) => `${profile}: ${problem}`));
      step.done(`${(wallMs / 1000).toFixed(1)} s`);
    } catch (error) {
      step.fail(messageOf(error));
      problems.push(`${profile}: ${messageOf(error)}`);
    }
  }
  const figures = Object.entries(rows).map(([name, values]): Figure => ({
    name: `ours: ${profile}, ${name}`,
    unit: 's',
    values,
  }));
  return { figures, problems: site.signal.aborted ? [] : problems };
}

/** Where a run's time goes. Suites run one after the other: what else happens meanwhile costs nobody anything. */
export function timesOf({ suites: all }: RunRecord, wallMs: number): Record<string, number> {
  const sum = (phase: 'createMs' | 'upMs' | 'suiteMs' | 'destroyMs'): number =>
    all.reduce((total, { durations }) => total + (durations[phase] ?? 0), 0);
  const phases = {
    'suites, sum': sum('suiteMs'),
    'stacks made, sum': sum('createMs'),
    'environments up, sum': sum('upMs'),
    'environments destroyed, sum': sum('destroyMs'),
  };
  const known = Object.values(phases).reduce((total, ms) => total + ms, 0);
  return {
    'wall clock': wallMs,
    'all that is not suite time': wallMs - sum('suiteMs'),
    ...phases,
    // What happens at the same time has no rest.
    ...(all.some(({ preparedAhead }) => preparedAhead)
      ? {}
      : { 'set-up, evidence, audits, reports': wallMs - known }),
  };
}
