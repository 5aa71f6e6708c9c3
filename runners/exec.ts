import { randomUUID } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { outputFile } from '../engine/output-file.js';
import { waitUntil } from '../engine/wait.js';
import { killProcessesOf, processesOf, type Origin, type Process } from './processes.js';

/** How a program ended. Which of them is a failure is the caller's to say. */
export type ExitStatus =
  | { kind: 'exited'; exitCode: number }
  | { kind: 'signalled'; signal: string }
  | { kind: 'timed out'; timeoutMs: number }
  | { kind: 'cancelled' }
  | { kind: 'not started'; reason: string }
  /** It went beyond what `endWhen` allows. */
  | { kind: 'stopped'; reason: string }
  /** The process between it and the runner was ended, hardly by anybody but the program itself. */
  | { kind: 'orphaned'; signal: string };

export interface ProgramOptions {
  command: string;
  args: readonly string[];
  cwd: string;
  /** The whole environment: nothing is inherited. */
  env: NodeJS.ProcessEnv;
  /** Takes stdout and stderr, appended. Written by the program itself, so no amount of output fills our memory. */
  logFile: string;
  timeoutMs: number;
  /** The timeout counts from when it resolves; by default from the start. */
  timeoutFrom?: Promise<unknown> | undefined;
  /** Between two signals, when the program is to be stopped: SIGINT, SIGTERM, SIGKILL. */
  graceMs: number;
  signal?: AbortSignal;
  /** The log's last line, twice a second when there is a new one. */
  onLine?: (line: string) => void;
  /** Asked ten times a second, and at the end: why the program is to be killed at once, if it is. */
  endWhen?: () => string | undefined;
}

export interface ProgramResult {
  status: ExitStatus;
  durationMs: number;
  /** It took SIGKILL: what the program would have tidied up, it hasn't. */
  killed: boolean;
  /** What the program, ending by itself, left running; killed since. */
  leftRunning: Process[];
  /** What couldn't be killed. */
  survivors: Process[];
}

const supervisor = path.join(import.meta.dirname, 'supervisor.mjs');
/** In the environment of every process of a program, with a value of that program's own. */
const markName = 'REHEARSAL_PROGRAM';
const lineIntervalMs = 500;
const endWhenIntervalMs = 100;
/** Children that end with their parent need a moment for it. */
const settleMs = 500;

/**
 * Runs a program in a session of its own, with a supervisor between it and the runner, until it ends, its deadline
 * passes or `signal` aborts, and leaves no process of it behind. Never rejects for what the program does.
 */
export async function runProgram(options: ProgramOptions): Promise<ProgramResult> {
  const startedMs = performance.now();
  const { command, args, timeoutMs, timeoutFrom, graceMs, signal, onLine, endWhen } = options;
  const program = randomUUID();
  const mark = `${markName}=${program}`;
  const log = outputFile(options.logFile, 'a', 0o600);
  const subprocess = execa(process.execPath, [supervisor], {
    cwd: options.cwd,
    env: { [markName]: program },
    extendEnv: false,
    stdin: 'ignore',
    stdout: log,
    stderr: log,
    detached: true,
    reject: false,
    ipcInput: { command, args: [...args], env: { ...options.env, [markName]: program } },
  });
  log.destroy();
  const state: { stopped?: ExitStatus; killed: boolean; ended: boolean } = { killed: false, ended: false };
  const exit = subprocess.then((result) => {
    state.ended = true;
    return result;
  });

  const stop = async (status: ExitStatus, signals: readonly NodeJS.Signals[]): Promise<void> => {
    if (state.stopped !== undefined || state.ended) return;
    state.stopped = status;
    for (const wanted of signals) {
      // The supervisor may have ended a moment ago.
      subprocess.sendMessage(wanted).catch(() => undefined);
      if (await settlesWithin(exit, graceMs)) return;
    }
    state.killed = true;
    await killProcessesOf({ mark });
  };
  const inOrder = ['SIGINT', 'SIGTERM'] as const;
  const onAbort = (): void => void stop({ kind: 'cancelled' }, inOrder);
  let timer: NodeJS.Timeout | undefined;
  const startTimer = (): void => {
    if (state.ended) return;
    timer = setTimeout(() => void stop({ kind: 'timed out', timeoutMs }, inOrder), timeoutMs);
  };
  if (timeoutFrom === undefined) startTimer();
  else timeoutFrom.then(startTimer, () => undefined);
  const check = setInterval(() => {
    const reason = endWhen?.();
    if (reason !== undefined) void stop({ kind: 'stopped', reason }, []);
  }, endWhenIntervalMs);
  signal?.addEventListener('abort', onAbort);
  // A signal that aborted before never fires again.
  if (signal?.aborted === true) onAbort();
  const lines = onLine === undefined ? undefined : followLines(options.logFile, onLine);

  const result = await exit;
  const durationMs = performance.now() - startedMs;
  clearTimeout(timer);
  clearInterval(check);
  clearInterval(lines);
  signal?.removeEventListener('abort', onAbort);
  const reports = result.ipcOutput as Report[];
  const origin = { mark, session: reports.find((report) => report.kind === 'started')?.pid };
  const status = state.stopped ?? endedBeyond(endWhen) ?? statusOf(result, reports);
  const endedItself = status.kind === 'exited' || status.kind === 'signalled';
  const leftRunning = endedItself ? await stillRunning(origin) : [];
  return {
    status,
    durationMs,
    killed: state.killed || status.kind === 'orphaned',
    leftRunning,
    survivors: await killProcessesOf(origin),
  };
}

/** What the supervisor tells. */
type Report =
  { kind: 'started'; pid: number } | Extract<ExitStatus, { kind: 'exited' | 'signalled' | 'not started' }>;

interface Ending {
  exitCode?: number | undefined;
  signal?: string | undefined;
  originalMessage?: string | undefined;
}

/** @param supervisorEnd counts where the supervisor couldn't tell the program's own end. */
function statusOf(supervisorEnd: Ending, reports: readonly Report[]): ExitStatus {
  const last = reports.at(-1);
  if (last !== undefined && last.kind !== 'started') return last;
  const { exitCode, signal, originalMessage = '' } = supervisorEnd;
  if (signal !== undefined) return { kind: 'orphaned', signal };
  const reason = exitCode === undefined ? originalMessage : `its supervisor ended with ${String(exitCode)}`;
  return { kind: 'not started', reason };
}

function endedBeyond(endWhen: ProgramOptions['endWhen']): ExitStatus | undefined {
  const reason = endWhen?.();
  return reason === undefined ? undefined : { kind: 'stopped', reason };
}

/** What doesn't end by itself within a moment. */
async function stillRunning(origin: Origin): Promise<Process[]> {
  let found: Process[] = [];
  const look = (): Promise<Process[]> => Promise.resolve((found = processesOf(origin)));
  await waitUntil(look, ({ length }) => length === 0, {
    what: 'the end of the children',
    deadlineMs: settleMs,
    intervalMs: 50,
  }).catch(() => undefined);
  return found;
}

/** One sentence for a program's end: "pulumi up was killed by SIGKILL". */
export function describeExit(what: string, status: ExitStatus): string {
  switch (status.kind) {
    case 'exited':
      return `${what} ended with exit code ${String(status.exitCode)}`;
    case 'signalled':
      return `${what} was ended by ${status.signal}`;
    case 'timed out':
      return `${what} did not end within its ${String(status.timeoutMs / 1000)} s`;
    case 'cancelled':
      return `${what} was cancelled`;
    case 'not started':
      return `${what} could not be started: ${status.reason}`;
    case 'stopped':
      return `${what} was stopped: ${status.reason}`;
    case 'orphaned':
      return `${what} ended its parent process (${status.signal}), or somebody outside the run did, and was killed`;
  }
}

async function settlesWithin(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => {
      resolve(false);
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise.then(() => true), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function followLines(file: string, onLine: (line: string) => void): NodeJS.Timeout {
  let last = '';
  return setInterval(() => {
    const line = tailOf(file, 1).trim();
    if (line === '' || line === last) return;
    last = line;
    onLine(line);
  }, lineIntervalMs);
}

const tailBytes = 16 * 1024;

/** The last lines of a file, whole ones, in at most 16 KiB; of a longer line its end. Empty when it can't be read. */
export function tailOf(file: string, lineCount: number): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const { size } = fstatSync(descriptor);
    const buffer = Buffer.alloc(Math.min(size, tailBytes));
    readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
    const lines = buffer.toString('utf8').trimEnd().split('\n');
    const begunBefore = size > buffer.length && lines.length > 1 ? 1 : 0;
    return lines.slice(begunBefore).slice(-lineCount).join('\n');
  } catch {
    return '';
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
