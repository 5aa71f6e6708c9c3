import { rm } from 'node:fs/promises';
import { serviceNames } from '../../components/services.js';
import { messageOf } from '../../runners/errors.js';
import type { ChaosContext, ChaosPart, ChaosResult } from './part.js';
import { newWard, type Ward } from './support/ward.js';

const limitMb = 200;
/** Between a short run and any other one. What is garbage isn't taken away at once. */
const mostGrowthMb = 25;
const shortSeconds = 5;
const longSecondsPerCount = 30;
const suitesPerCount = 1;

export const memory: ChaosPart = {
  name: 'memory',
  describe: (count) =>
    `the runner's own memory below ${String(limitMb)} MB, ${String(serviceNames.length)} services watched ` +
    `for ${String(shortSeconds)} s, for ${String(count * longSecondsPerCount)} s, and in ` +
    `${String(1 + count * suitesPerCount)} environments`,
  run: tryAll,
};

/** A run whose suites do nothing but wait. */
interface Waiting {
  title: string;
  suites: number;
  seconds: number;
}

async function tryAll(count: number, { progress, signal }: ChaosContext): Promise<ChaosResult> {
  const ward = await newWard({ signal });
  const runs: Waiting[] = [
    { title: 'a short suite', suites: 1, seconds: shortSeconds },
    { title: 'a long suite', suites: 1, seconds: count * longSecondsPerCount },
    { title: 'many suites', suites: 1 + count * suitesPerCount, seconds: shortSeconds },
  ];
  const rows: string[][] = [];
  let failed = 0;
  let shortMb: number | undefined;
  for (const run of runs) {
    const step = progress.step(run.title);
    let figures = ['-', '-'];
    try {
      const { samples, peakMb } = await measure(run, ward);
      figures = [String(samples), peakMb.toFixed(0)];
      shortMb ??= peakMb;
      if (peakMb >= limitMb || peakMb - shortMb > mostGrowthMb) {
        throw new Error(`${peakMb.toFixed(0)} MB, the short run had ${shortMb.toFixed(0)} MB`);
      }
      step.done();
    } catch (error) {
      if (signal.aborted) break; // What was cut short proves nothing.
      failed += 1;
      step.fail(messageOf(error));
    }
    rows.push([`${run.title}: ${String(run.suites)} × ${String(run.seconds)} s`, ...figures]);
    if (signal.aborted) break;
  }
  if (failed === 0) await ward.dismiss();
  return {
    rows: { head: ['run', 'samples of services', "runner's peak MB"], rows },
    passed: rows.length - failed,
    failed,
  };
}

/** @throws Error unless everything was measured the whole time. */
async function measure(
  { suites, seconds }: Waiting,
  ward: Ward,
): Promise<{ samples: number; peakMb: number }> {
  const tests = JSON.stringify([{ name: 'waits', status: 'passed', durationMs: 1 }]);
  const script = `sleep ${String(seconds)}; exec node test/fixtures/suites/results.mjs '${tests}'`;
  const run = await ward.start({
    'rehearsal:suites': Array.from({ length: suites }, (_, index) => ({
      name: `waits-${String(index + 1)}`,
      command: ['sh', '-c', script],
      timeoutSeconds: seconds + 60,
    })),
  });
  await run.ended;
  const [last] = await run.records();
  if (last === undefined) throw new Error(`it left no record:\n${run.output()}`);
  await ward.untilNothingIsLeft();
  const { record, folder } = last;
  const measured = record.suites.flatMap((suite) =>
    suite.outcome.kind === 'passed' && suite.memory.measured && suite.memory.value.gaps.length === 0
      ? [suite.memory.value.sampleCount]
      : [],
  );
  if (measured.length < suites) throw new Error(`not everything was measured:\n${run.output()}`);
  await rm(folder, { recursive: true });
  return {
    samples: measured.reduce((sum, count) => sum + count, 0),
    peakMb: record.runner.peakRssMb,
  };
}
