import path from 'node:path';
import { describeExit, runProgram, tailOf, type ExitStatus } from './exec.js';
import { readResults, type SuiteResults } from './suite-results.js';
import type { Outcome } from './report/record.js';
import type { Suite } from './suites.js';

export interface SuiteRequest {
  suite: Suite;
  /** JSON file with the endpoints. */
  environmentFile: string;
  /** Takes the suite's log and results. */
  folder: string;
  users: number;
  signal: AbortSignal;
  onLine: (line: string) => void;
}

export interface SuiteRun extends SuiteResults {
  status: ExitStatus;
  durationMs: number;
  /** The last lines that the suite wrote. */
  logTail: string;
}

/** What the runner needs of whatever runs a suite's command. */
export interface SuiteRunner {
  run(request: SuiteRequest): Promise<SuiteRun>;
}

const graceMs = 5_000;
const quotedLines = 20;

/** Runs a suite's command in the checkout. */
export function commandRunner(checkout: string, chromium: string | undefined): SuiteRunner {
  return {
    async run({ suite, environmentFile, folder, users, signal, onLine }) {
      const logFile = path.join(folder, 'suite.log');
      const [command = '', ...args] = suite.command;
      const startMs = Date.now();
      const { status, durationMs } = await runProgram({
        command,
        args,
        cwd: checkout,
        env: {
          ...inheritedEnvironment(process.env),
          REHEARSAL_SUITE: suite.name,
          REHEARSAL_ENVIRONMENT: environmentFile,
          REHEARSAL_RESULTS: folder,
          REHEARSAL_USERS: String(users),
          ...(chromium === undefined ? {} : { REHEARSAL_CHROMIUM: chromium }),
        },
        logFile,
        timeoutMs: suite.timeoutMs,
        graceMs,
        signal,
        onLine,
      });
      return {
        status,
        durationMs,
        logTail: tailOf(logFile, quotedLines),
        ...(await readResults(folder, { suite: suite.name, users, startMs, endMs: Date.now() })),
      };
    },
  };
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
  const ending = describeExit('the suite', status);
  const endedWell = status.kind === 'exited' && status.exitCode === 0;
  if (!tests.measured) {
    const quoted = logTail === '' ? '' : `\n${logTail}`;
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
