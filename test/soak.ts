/**
 * `npm run soak -- N`: each critical suite N times, each time in an environment of its own and without a fault, to
 * see whether one of them ever fails. Small environments, one at a time.
 */
import { rm } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { parseConfig } from '../components/config.js';
import { terminalProgress } from '../engine/progress.js';
import { checkout } from '../engine/state.js';
import { messageOf } from '../runners/errors.js';
import { exitCodes } from '../runners/exit-codes.js';
import { listenForInterruption } from '../runners/interruption.js';
import { rehearse } from '../runners/rehearsal.js';
import { table } from '../runners/report/terminal.js';
import { allSuites, chooseSuites } from '../runners/suites.js';
import { soakLine, soakResultOf, soakRows, type SoakResult } from './helpers/soak.js';

const profile = 'small';
const users = 10;

function parseCount(value: string): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError('allowed is a whole number from 1');
}

/** @returns the exit code. */
async function soak(count: number, names: readonly string[]): Promise<number> {
  const known = allSuites(parseConfig({ 'rehearsal:profile': profile }, 'the soak'), checkout);
  const suites = chooseSuites(known, names, names.length === 0 ? ['critical'] : []).map(({ name }) => name);
  const wanted = count * suites.length;
  const progress = terminalProgress();
  const interruption = listenForInterruption(() => undefined);
  const results: SoakResult[] = [];
  let abandoned = false;
  try {
    for (let run = 0; run < wanted && !interruption.stop.aborted; run += 1) {
      const suite = suites[run % suites.length] ?? '';
      progress.note(`Run ${String(run + 1)} of ${String(wanted)}: ${suite}`);
      const choices = { profile, users, suites: [suite], categories: [], keepOnFailure: false };
      const rehearsal = await rehearse(choices, checkout, progress);
      abandoned = rehearsal.abandoned;
      if (rehearsal.record.interrupted) break;
      const result = soakResultOf(rehearsal.record);
      results.push(result);
      if (result.kind === 'good') await rm(rehearsal.folder, { recursive: true });
      else progress.note(`${suite}: ${result.kind}\n${result.reason}\nArtifacts: ${rehearsal.folder}`);
    }
  } finally {
    process.stdout.write(`${table(soakRows(results))}\n\n${soakLine(results, wanted)}\n`);
  }
  // The destroy that nobody waits for goes on without us.
  if (abandoned) process.exit(exitCodes.interrupted);
  if (interruption.stop.aborted) return exitCodes.interrupted;
  return results.every(({ kind }) => kind === 'good') ? exitCodes.go : exitCodes.noGo;
}

const collect = (value: string, earlier: string[]): string[] => [...earlier, value];

const program = new Command('npm run soak --')
  .description('Runs each critical suite again and again, each time in an environment of its own.')
  .argument('<count>', 'how often each suite runs', parseCount)
  .option('--suite <name>', 'only this suite; may be given several times', collect, [])
  .action(async (count: number, { suite }: { suite: string[] }) => {
    process.exitCode = await soak(count, suite);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = exitCodes.error;
}
