/**
 * `npm run bench -- PART …`: what rehearsal takes, side by side with `docker compose` and with the least that the
 * Docker Engine allows, all in one run. Without a part: all of them.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { terminalProgress } from '../engine/progress.js';
import { workFolder } from '../engine/state.js';
import { messageOf } from '../runners/errors.js';
import { exitCodes } from '../runners/exit-codes.js';
import { listenForInterruption } from '../runners/interruption.js';
import { table } from '../runners/report/terminal.js';
import type { ComposeCli } from './compose-cli.js';
import { events } from './events.js';
import { memory } from './memory.js';
import { nochange } from './nochange.js';
import { parallel } from './parallel.js';
import type { BenchPart, Measured } from './part.js';
import { destroy, ready } from './ready-and-destroy.js';
import { runner } from './runner-cost.js';
import { openSite, type Site } from './site.js';
import { spreadOf } from './statistics.js';
import { suites } from './suites.js';
import { wayKinds, type WayKind } from './way.js';

const parts: readonly BenchPart[] = [ready, destroy, suites, parallel, events, memory, runner, nochange];

function parseRounds(value: string): number {
  const rounds = Number(value);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= 100) return rounds;
  throw new InvalidArgumentError('allowed is a whole number from 1 to 100');
}

/** What every figure depends on. */
function terms(site: Site, compose: ComposeCli | undefined): string {
  const { engineVersion, operatingSystem, cpus, memoryMb } = site.host;
  const provider = site.sources['Docker provider'];
  return (
    `Docker Engine ${engineVersion}, ${operatingSystem}, ${String(cpus)} cores, ${String(memoryMb)} MiB; ` +
    `${provider?.way === 'fallback' ? 'embedded' : 'official'} Docker provider ${provider?.version ?? ''}` +
    (compose === undefined ? '' : `; Docker Compose ${compose.version} (${compose.source})`)
  );
}

interface Choices {
  rounds?: number;
  way: readonly WayKind[];
}

/** @returns the exit code. */
async function bench(
  chosen: readonly BenchPart[],
  { rounds: wantedRounds, way: kinds }: Choices,
): Promise<number> {
  const progress = terminalProgress();
  const interruption = listenForInterruption(() => {
    progress.note('Interrupted: taking down what is up.');
  });
  const startedAt = new Date().toISOString();
  const site = await openSite(progress, interruption.stop, kinds);
  const results: object[] = [];
  let failed = false;
  const compose = kinds.includes('compose') ? await site.compose() : undefined;
  const what = terms(site, compose);
  try {
    for (const part of chosen) {
      if (interruption.stop.aborted) break;
      const rounds = wantedRounds ?? part.rounds;
      progress.note(`${part.name}: ${part.describe}`);
      const measured = await part
        .run(site, rounds)
        .catch((error: unknown): Measured => ({ figures: [], tables: [], problems: [messageOf(error)] }));
      for (const { title, rows } of measured.tables)
        process.stdout.write(`${title}\n${what}\n${table(rows)}\n\n`);
      for (const problem of measured.problems) process.stdout.write(`${part.name}: ${problem}\n`);
      failed ||= measured.problems.length > 0;
      results.push({
        part: part.name,
        rounds,
        figures: measured.figures.map((figure) => ({
          ...figure,
          ...(figure.values.length === 0 ? {} : spreadOf(figure.values)),
        })),
        tables: measured.tables,
        problems: measured.problems,
      });
    }
  } finally {
    await site.close();
    interruption.end();
  }
  const file = path.join(workFolder, 'bench', `${startedAt.replaceAll(':', '-')}.json`);
  await mkdir(path.dirname(file), { recursive: true });
  const all = {
    ...{ startedAt, endedAt: new Date().toISOString(), host: site.host, sources: site.sources },
    ...{ compose, parts: results },
  };
  await writeFile(file, `${JSON.stringify(all, undefined, 2)}\n`);
  process.stdout.write(`Figures: ${file}\n`);
  if (interruption.stop.aborted) return exitCodes.interrupted;
  return failed ? exitCodes.error : exitCodes.go;
}

const program = new Command('npm run bench --')
  .description(
    'Measures rehearsal side by side with docker compose and with the least that the engine allows.',
  )
  .addArgument(new Argument('[parts...]', 'only these').choices(parts.map(({ name }) => name)))
  .option('--rounds <count>', 'how often each is measured; each part has a default of its own', parseRounds)
  .addOption(
    new Option('--way <kind...>', 'only these of the ways that environments are brought up')
      .choices(wayKinds)
      .default(wayKinds, 'all'),
  )
  .action(async (names: string[], choices: Choices) => {
    const chosen = parts.filter(({ name }) => names.length === 0 || names.includes(name));
    process.exitCode = await bench(chosen, choices);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = exitCodes.error;
}
