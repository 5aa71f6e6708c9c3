/**
 * `npm run chaos -- N`: harm of every kind, N times or a multiple of it, done to real runs; each part says what it
 * found and the last line how often the runs withstood it.
 */
import { randomInt } from 'node:crypto';
import { Command, InvalidArgumentError, Option } from 'commander';
import { terminalProgress } from '../engine/progress.js';
import { messageOf } from '../runners/errors.js';
import { exitCodes } from '../runners/exit-codes.js';
import { listenForInterruption } from '../runners/interruption.js';
import { table } from '../runners/report/terminal.js';
import { cancels } from './chaos/cancels.js';
import { disks } from './chaos/disks.js';
import { isolation } from './chaos/isolation.js';
import { kills } from './chaos/kills.js';
import { memory } from './chaos/memory.js';
import { ooms } from './chaos/ooms.js';
import type { ChaosPart, ChaosResult } from './chaos/part.js';
import { restarts } from './chaos/restarts.js';
import { seededRandom } from './chaos/support/random.js';

const parts: readonly ChaosPart[] = [kills, cancels, restarts, disks, ooms, isolation, memory];

const wholeFrom =
  (least: number) =>
  (value: string): number => {
    const number = Number(value);
    if (Number.isInteger(number) && number >= least) return number;
    throw new InvalidArgumentError(`allowed is a whole number from ${String(least)}`);
  };

/** A part for which something is missing. The others are tried all the same. */
const notTried = (reason: string): ChaosResult => ({
  rows: { head: ['not tried'], rows: [[reason]] },
  passed: 0,
  failed: 1,
});

/** @returns the exit code. */
async function chaos(count: number, chosen: readonly ChaosPart[], seed: number): Promise<number> {
  const progress = terminalProgress();
  const random = seededRandom(seed);
  progress.note(`Random moments and orders, seed ${String(seed)} (repeat them with --seed)`);
  const interruption = listenForInterruption(() => {
    progress.note('Interrupted: ending what was begun.');
  });
  const { stop } = interruption;
  const all = { passed: 0, failed: 0 };
  for (const part of chosen) {
    if (stop.aborted) break;
    progress.note(`${part.name}: ${part.describe(count)}`);
    const { rows, passed, failed } = await part
      .run(count, { progress, signal: stop, random })
      .catch((error: unknown) => notTried(messageOf(error)));
    process.stdout.write(
      `${table(rows)}\n${part.name}: ${String(passed)} passed, ${String(failed)} failed\n\n`,
    );
    all.passed += passed;
    all.failed += failed;
  }
  interruption.end();
  process.stdout.write(`${String(all.passed)} passed, ${String(all.failed)} failed\n`);
  if (stop.aborted) return exitCodes.interrupted;
  return all.failed === 0 && all.passed > 0 ? exitCodes.go : exitCodes.noGo;
}

const collect = (value: string, earlier: string[]): string[] => [...earlier, value];

const program = new Command('npm run chaos --')
  .description('Harms real runs in every way that they have to withstand.')
  .argument('[count]', 'how often', wholeFrom(1), 5)
  .addOption(
    new Option('--part <name>', 'only this; may be given several times')
      .choices(parts.map(({ name }) => name))
      .argParser(collect)
      .default([]),
  )
  .option('--seed <number>', 'of what is left to chance', wholeFrom(0), randomInt(2 ** 31))
  .action(async (count: number, { part: names, seed }: { part: string[]; seed: number }) => {
    const chosen = parts.filter(({ name }) => names.length === 0 || names.includes(name));
    process.exitCode = await chaos(count, chosen, seed);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = exitCodes.error;
}
