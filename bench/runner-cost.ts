import { messageOf } from '../runners/errors.js';
import { figureRows } from './figure-table.js';
import type { BenchPart } from './part.js';
import { runRunner } from './runner-process.js';

/** A suite that costs nothing: all else is the runner's. */
const suiteSeconds = 10;

export const runner: BenchPart = {
  name: 'runner',
  rounds: 5,
  describe: `what the runner itself costs: a run of one suite that sleeps ${String(suiteSeconds)} s, profile small`,
  async run(site, rounds) {
    const values = {
      wall: [] as number[],
      cpu: [] as number[],
      own: [] as number[],
      rss: [] as number[],
      tree: [] as number[],
    };
    const problems: string[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      if (site.signal.aborted) break;
      const step = site.progress.step(`round ${String(round)} of ${String(rounds)}`);
      try {
        const run = await runRunner(site, ['--profile', 'small'], {
          onLine: (line) => {
            step.update(line);
          },
          config: { 'rehearsal:suites': [waits] },
        });
        await run.tidyUp();
        problems.push(...run.problems);
        values.wall.push(run.wallMs / 1000);
        values.cpu.push(run.cpuSeconds);
        values.own.push(run.ownCpuSeconds);
        values.rss.push(run.ownPeakRssMb);
        values.tree.push(run.treePeakRssMb);
        step.done();
      } catch (error) {
        step.fail(messageOf(error));
        problems.push(messageOf(error));
      }
    }
    const figures = [
      { name: 'wall clock', unit: 's', values: values.wall },
      { name: 'CPU, all processes', unit: 's', values: values.cpu },
      { name: "CPU, the runner's own process", unit: 's', values: values.own },
      { name: "peak RSS, the runner's own process", unit: 'MiB', values: values.rss },
      { name: 'peak RSS, sum of all processes', unit: 'MiB', values: values.tree },
    ];
    const title = `The runner itself: one suite that sleeps ${String(suiteSeconds)} s, profile small`;
    return {
      figures,
      tables: [{ title, rows: figureRows(figures, []) }],
      problems: site.signal.aborted ? [] : problems,
    };
  },
};

const waits = {
  name: 'waits',
  command: ['node', 'bench/sleeping-suite.mjs', String(suiteSeconds)],
  timeoutSeconds: suiteSeconds + 60,
};
