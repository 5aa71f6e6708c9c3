import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { stringify } from 'yaml';
import { npmStart } from '../engine/npm-start.js';
import { checkout } from '../engine/state.js';
import { newRunId } from '../runners/names.js';
import { runRecordSchema, type RunRecord, type SuiteRecord } from '../runners/report/record.js';
import { settingsFile } from '../runners/settings.js';
import { statOf, treeOf, type ProcessStat } from './process-tree.js';
import type { Site } from './site.js';

const intervalMs = 200;

export interface RunnerRun {
  record: RunRecord;
  /** The run's artifacts. */
  folder: string;
  /** Suites that didn't pass, in words: what was measured of them is worth nothing. */
  problems: string[];
  /** Removes the artifacts, unless there are problems to be looked into. */
  tidyUp: () => Promise<void>;
  /** From the start of the command to its end. */
  wallMs: number;
  /** Of the command and everything that it started and waited for. */
  cpuSeconds: number;
  /** Of the command's own process, as it was last seen. */
  ownCpuSeconds: number;
  ownPeakRssMb: number;
  /** Highest sum over the command and all its descendants; memory that they share counts for each. */
  treePeakRssMb: number;
}

interface RunnerOptions {
  /** What it does right now: it may wait for memory that others have. */
  onLine: (line: string) => void;
  /** Of a settings file of its own: nobody else's settings count. */
  config?: Readonly<Record<string, unknown>>;
  /** Whether it is no problem that a suite didn't pass. */
  isExcused?: (suite: SuiteRecord) => boolean;
}

/**
 * `npm start` but for npm itself, in a process of its own.
 * @throws Error with what it said when it left no record.
 */
export async function runRunner(
  site: Site,
  args: readonly string[],
  { onLine, config = {}, isExcused = () => false }: RunnerOptions,
): Promise<RunnerRun> {
  const stack = `bench-${newRunId(Date.now())}`;
  const file = path.join(checkout, settingsFile(stack));
  await writeFile(file, stringify({ config }));
  const cpuBefore = statOf('self')?.childrenCpuSeconds ?? 0;
  const startedMs = performance.now();
  const [command, ...start] = npmStart();
  const runner = execa(command, [...start, '--stack', stack, ...args], {
    cwd: checkout,
    stdin: 'ignore',
    all: true,
    reject: false,
  });
  const interrupt = (): void => {
    runner.kill('SIGINT');
  };
  site.signal.addEventListener('abort', interrupt);
  createInterface({ input: runner.stderr }).on('line', onLine);
  const seen = { ownCpuSeconds: 0, ownPeakRssMb: 0, treePeakRssMb: 0 };
  const look = setInterval(() => {
    const tree = runner.pid === undefined ? new Map<number, ProcessStat>() : treeOf(runner.pid);
    const own = tree.get(runner.pid ?? 0);
    if (own === undefined) return;
    const rssMb = [...tree.values()].reduce((sum, process) => sum + process.rssMb, 0);
    seen.ownCpuSeconds = own.cpuSeconds;
    seen.ownPeakRssMb = Math.max(seen.ownPeakRssMb, own.rssMb);
    seen.treePeakRssMb = Math.max(seen.treePeakRssMb, rssMb);
  }, intervalMs);
  try {
    const { all } = await runner;
    const wallMs = performance.now() - startedMs;
    const cpuSeconds = (statOf('self')?.childrenCpuSeconds ?? 0) - cpuBefore;
    site.signal.throwIfAborted();
    const folder = /^Artifacts: (.+)$/m.exec(all)?.[1];
    if (folder === undefined) throw new Error(`the runner left no record:\n${all}`);
    const record = runRecordSchema.parse(
      JSON.parse(await readFile(path.join(folder, 'record.json'), 'utf8')),
    );
    const problems = failedSuites(
      record.suites.filter((suite) => !isExcused(suite)),
      folder,
    );
    const tidyUp = async (): Promise<void> => {
      if (problems.length === 0) await rm(folder, { recursive: true });
    };
    return { record, folder, problems, tidyUp, wallMs, cpuSeconds, ...seen };
  } finally {
    clearInterval(look);
    site.signal.removeEventListener('abort', interrupt);
    await rm(file, { force: true });
  }
}

function failedSuites(suites: readonly SuiteRecord[], folder: string): string[] {
  return suites
    .filter(({ outcome }) => outcome.kind !== 'passed')
    .map(({ name, outcome, tests }) => {
      const reason = 'reason' in outcome ? `: ${outcome.reason}` : '';
      const failed = tests.filter(({ status }) => status === 'failed').map((test) => `"${test.name}"`);
      return `${[`${name} ${outcome.kind}${reason}`, ...failed].join(', ')} (artifacts: ${path.join(folder, name)})`;
    });
}
