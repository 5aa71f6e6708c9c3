import { statSync } from 'node:fs';
import { appendFile, mkdir, truncate } from 'node:fs/promises';
import path from 'node:path';
import { redact } from '../engine/redact.js';
import type { HostClock } from '../engine/ssh/clock.js';
import { diskIsFull, removeLargeEntries, withReserve } from './disk.js';
import { describeExit, runProgram, tailOf, type ExitStatus, type ProgramResult } from './exec.js';
import type { Process } from './processes.js';
import { redactDeep } from './redact.js';
import { readResults, type SuiteResults } from './suite-results.js';
import type { Outcome } from './report/record.js';
import type { Suite } from './suites.js';

export interface SuiteRequest {
  suite: Suite;
  /** JSON file with the endpoints. */
  environmentFile: string;
  /** Takes the suite's log, and a folder of its results that the suite may do with as it likes. */
  folder: string;
  users: number;
  /** Passwords of the environment: whatever the suite says, they aren't passed on. */
  secrets: readonly string[];
  signal: AbortSignal;
  onLine: (line: string) => void;
  /** Of the machine that stamps the events, where it isn't this one. */
  hostClock?: HostClock;
}

export interface SuiteRun extends SuiteResults {
  status: ExitStatus;
  durationMs: number;
  /** The last lines that the suite wrote. */
  logTail: string;
  /** What was wrong beside its end, in words. */
  problems: string[];
}

/** What the runner needs of whatever runs a suite's command. */
export interface SuiteRunner {
  run(request: SuiteRequest): Promise<SuiteRun>;
}

const graceMs = 5_000;
const quotedLines = 20;
const bytesPerMb = 1024 * 1024;
/** What a suite may print. Its log can still be read, searched for passwords and kept as an artifact. */
const outputLimitMb = 32;
/** Of it, for the end of a log that is cut. */
const cutTailMb = 1;

/** In a suite's folder: what the suite itself writes, so that it can't harm what the runner keeps beside it. */
export const resultsFolderName = 'results';

/**
 * Runs a suite's command in the checkout.
 * @param mark for the environment of everything that it starts.
 */
export function commandRunner(
  checkout: string,
  chromium: string | undefined,
  mark: Readonly<Record<string, string>> = {},
): SuiteRunner {
  return {
    async run({ suite, environmentFile, folder, users, secrets, signal, onLine, hostClock }) {
      const logFile = path.join(folder, 'suite.log');
      const resultsFolder = path.join(folder, resultsFolderName);
      await mkdir(resultsFolder, { recursive: true });
      const [command = '', ...args] = suite.command;
      const startMs = Date.now();
      const { program, diskFull } = await withReserve(folder, async () => {
        const ended = await runProgram({
          command,
          args,
          cwd: checkout,
          env: {
            ...inheritedEnvironment(process.env),
            ...mark,
            REHEARSAL_SUITE: suite.name,
            REHEARSAL_ENVIRONMENT: environmentFile,
            REHEARSAL_RESULTS: resultsFolder,
            REHEARSAL_USERS: String(users),
            ...(chromium === undefined ? {} : { REHEARSAL_CHROMIUM: chromium }),
          },
          logFile,
          timeoutMs: suite.timeoutMs,
          graceMs,
          signal,
          onLine: (line) => {
            onLine(redact(line, secrets));
          },
          endWhen: () => excessOf(logFile, folder),
        });
        return { program: ended, diskFull: diskIsFull(folder) };
      });
      const logTail = tailOf(logFile, quotedLines);
      await cutLog(logFile, logTail);
      const asked = { suite: suite.name, users, startMs, endMs: Date.now(), hostClock };
      const results = await readResults(resultsFolder, asked);
      const removedMb = diskFull ? await removeLargeEntries(resultsFolder) : 0;
      const said = { logTail, problems: problemsOf(program, removedMb), ...results };
      return { status: program.status, durationMs: program.durationMs, ...redactDeep(said, secrets) };
    },
  };
}

function excessOf(logFile: string, folder: string): string | undefined {
  if (sizeOf(logFile) > outputLimitMb * bytesPerMb)
    return `it wrote more than ${String(outputLimitMb)} MiB of output`;
  if (diskIsFull(folder)) return `the disk that holds ${folder} is full`;
  return undefined;
}

/** In bytes; a suite may have removed the file. */
const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

/** A log above the limit keeps its beginning and its end. */
async function cutLog(logFile: string, tail: string): Promise<void> {
  if (sizeOf(logFile) <= outputLimitMb * bytesPerMb) return;
  await truncate(logFile, (outputLimitMb - cutTailMb) * bytesPerMb);
  await appendFile(logFile, `\n[cut here; the last lines were:]\n${tail}\n`);
}

function problemsOf({ leftRunning, survivors }: ProgramResult, removedMb: number): string[] {
  const named = (processes: readonly Process[]): string =>
    processes.map(({ name, pid }) => `${name} (${String(pid)})`).join(', ');
  const problems: string[] = [];
  if (leftRunning.length > 0)
    problems.push(`the suite left processes running, which were killed: ${named(leftRunning)}`);
  if (survivors.length > 0) problems.push(`processes of the suite can't be killed: ${named(survivors)}`);
  if (removedMb > 0)
    problems.push(`${removedMb.toFixed(0)} MiB that the suite wrote were not kept: the disk was full`);
  return problems;
}

/** The runner's own environment without what belongs to it: Node's switches and Pulumi's secrets. */
function inheritedEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(
      ([key]) => key !== 'NODE_OPTIONS' && !key.startsWith('PULUMI_') && !key.startsWith('JEST_'),
    ),
  );
}

/** What a suite's end means. It passed only if it ended well and each of its tests ran and passed. */
export function judge({ status, tests, logTail }: SuiteRun): Outcome {
  if (status.kind === 'timed out') return { kind: 'timed out', timeoutMs: status.timeoutMs };
  if (status.kind === 'cancelled') return { kind: 'interrupted', phase: 'suite' };
  if (status.kind === 'not started') {
    return { kind: 'errored', phase: 'suite', message: describeExit("the suite's command", status) };
  }
  const quoted = logTail === '' ? '' : `\n${logTail}`;
  const ending = describeExit('the suite', status);
  if (status.kind === 'stopped' || status.kind === 'orphaned')
    return { kind: 'failed', reason: `${ending}${quoted}` };
  const endedWell = status.kind === 'exited' && status.exitCode === 0;
  if (!tests.measured) {
    return { kind: 'failed', reason: `${ending} without readable results (${tests.reason})${quoted}` };
  }
  const count = (wanted: string): number => tests.value.filter(({ status: is }) => is === wanted).length;
  const problems: string[] = [];
  if (tests.value.length === 0) problems.push('no test was run');
  if (count('failed') > 0)
    problems.push(`${String(count('failed'))} of ${String(tests.value.length)} tests failed`);
  if (count('skipped') > 0)
    problems.push(`${String(count('skipped'))} of ${String(tests.value.length)} tests were skipped`);
  if (problems.length === 0 && !endedWell) problems.push(ending);
  return problems.length === 0 ? { kind: 'passed' } : { kind: 'failed', reason: problems.join(', ') };
}
