import { readFileSync } from 'node:fs';
import { systemClock, waitUntil } from '../../engine/wait.js';
import { processesOf } from '../../runners/processes.js';
import type { ChaosPart } from './part.js';
import { inTurns, type Trial } from './support/trials.js';
import type { Ward } from './support/ward.js';

const runnerKillsPerCount = 6;
const childKillsPerCount = 2;
const endDeadlineMs = 5 * 60_000;

/**
 * The processes of an operation of Pulumi, known by their command lines, and about how long they are there. The
 * runner itself serves the providers that are built here.
 */
const children: readonly (readonly [name: string, commandLine: RegExp, livesMs: number])[] = [
  ['the Pulumi CLI', /\/pulumi\0(up|destroy)/, 4_000],
  ['the program', /\/\.rehearsal\/programs\/[^\0]*\.cjs/, 1_500],
];

export const kills: ChaosPart = {
  name: 'kills',
  describe: (count) =>
    `SIGKILL of the runner at ${String(count * runnerKillsPerCount)} random moments, ` +
    `of its children at ${String(count * childKillsPerCount)}`,
  run: (count, context) =>
    inTurns(
      (wholeMs) => [
        ...times(count * runnerKillsPerCount, () => killOfRunner(context.random() * wholeMs)),
        ...times(count * childKillsPerCount, (index) => killOfChild(index, context.random())),
      ],
      context,
    ),
};

const times = (count: number, make: (index: number) => Trial): Trial[] =>
  Array.from({ length: count }, (_, index) => make(index));

const inSeconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function killOfRunner(afterMs: number): Trial {
  return {
    title: `SIGKILL of the runner after ${inSeconds(afterMs)}`,
    async attempt(ward) {
      const run = await ward.start();
      await systemClock.sleep(afterMs);
      run.kill('SIGKILL');
      await run.ended;
      return ward.untilNothingIsLeft();
    },
  };
}

function killOfChild(index: number, moment: number): Trial {
  const [name, pattern, livesMs] = children[index % children.length] ?? ['', /^$/, 0];
  const afterMs = moment * livesMs;
  return {
    title: `SIGKILL of ${name}, ${inSeconds(afterMs)} after its start`,
    async attempt(ward) {
      const run = await ward.start();
      const isThere = (): Promise<number[]> => Promise.resolve(pidsOf(ward, pattern));
      const wait = { deadlineMs: endDeadlineMs, intervalMs: 20 };
      const isThereOrOver = ({ length }: number[]): boolean => length > 0 || run.hasEnded();
      await waitUntil(isThere, isThereOrOver, { what: `start of ${name}`, ...wait });
      await systemClock.sleep(afterMs);
      // It may have ended meanwhile: then the next operation has another one.
      const pids = await waitUntil(isThere, isThereOrOver, { what: `another start of ${name}`, ...wait });
      if (pids.length === 0) throw new Error(`the run ended first:\n${run.output()}`);
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      await run.ended;
      const [last] = (await ward.records()).slice(-1);
      if (last === undefined) throw new Error(`it left no record:\n${run.output()}`);
      return ward.untilNothingIsLeft();
    },
  };
}

function pidsOf({ mark }: Ward, pattern: RegExp): number[] {
  return processesOf({ mark })
    .map(({ pid }) => pid)
    .filter((pid) => pattern.test(commandLineOf(pid)));
}

/** With a zero byte after each argument. */
function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8');
  } catch {
    return ''; // It has ended meanwhile.
  }
}
