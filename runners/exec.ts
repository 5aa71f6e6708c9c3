import { closeSync, createWriteStream, fstatSync, openSync, readSync } from 'node:fs';
import { execa } from 'execa';
import { killSession, signalGroup } from './process-group.js';

/** How a program ended. Which of them is a failure is the caller's to say. */
export type ExitStatus =
  | { kind: 'exited'; exitCode: number }
  | { kind: 'signalled'; signal: string }
  | { kind: 'timed out'; timeoutMs: number }
  | { kind: 'cancelled' }
  | { kind: 'not started'; reason: string };

export interface ProgramOptions {
  command: string;
  args: readonly string[];
  cwd: string;
  /** The whole environment: nothing is inherited. */
  env: NodeJS.ProcessEnv;
  /** Takes stdout and stderr, appended. Written by the program itself, so no amount of output fills our memory. */
  logFile: string;
  timeoutMs: number;
  /** Between two signals, when the program is to be stopped: SIGINT, SIGTERM, SIGKILL. */
  graceMs: number;
  signal?: AbortSignal;
  /** The log's last line, twice a second when there is a new one. */
  onLine?: (line: string) => void;
}

export interface ProgramResult {
  status: ExitStatus;
  durationMs: number;
  /** It took SIGKILL: what the program would have tidied up, it hasn't. */
  killed: boolean;
}

const lineIntervalMs = 500;

/**
 * Runs a program in a process group of its own until it ends, its deadline passes or `signal` aborts, and
 * leaves no process of that group behind. Never rejects for what the program does.
 */
export async function runProgram(options: ProgramOptions): Promise<ProgramResult> {
  const startedMs = performance.now();
  // A stream that is open already reaches the program as its file descriptor: there is no pipe between.
  const log = createWriteStream(options.logFile, { fd: openSync(options.logFile, 'a', 0o600) });
  const subprocess = execa(options.command, [...options.args], {
    cwd: options.cwd,
    env: options.env,
    extendEnv: false,
    stdin: 'ignore',
    stdout: log,
    stderr: log,
    detached: true,
    reject: false,
  });
  log.destroy();
  const { pid } = subprocess;
  let stopped: ExitStatus | undefined;
  let killed = false;
  let ended = false;
  const exit = subprocess.then((result) => {
    ended = true;
    return result;
  });

  const stop = async (status: ExitStatus): Promise<void> => {
    if (stopped !== undefined || ended || pid === undefined) return;
    stopped = status;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      signalGroup(pid, signal);
      if (await settlesWithin(exit, options.graceMs)) return;
    }
    killed = true;
    killSession(pid);
  };
  const onAbort = (): void => void stop({ kind: 'cancelled' });
  const timer = setTimeout(
    () => void stop({ kind: 'timed out', timeoutMs: options.timeoutMs }),
    options.timeoutMs,
  );
  options.signal?.addEventListener('abort', onAbort);
  // A signal that aborted before never fires again.
  if (options.signal?.aborted === true) onAbort();
  const lines = options.onLine === undefined ? undefined : followLines(options.logFile, options.onLine);
  try {
    const result = await exit;
    return {
      status: stopped ?? statusOf(result),
      durationMs: performance.now() - startedMs,
      killed,
    };
  } finally {
    clearTimeout(timer);
    clearInterval(lines);
    options.signal?.removeEventListener('abort', onAbort);
    if (pid !== undefined) killSession(pid);
  }
}

interface Ending {
  exitCode?: number | undefined;
  signal?: string | undefined;
  originalMessage?: string | undefined;
}

function statusOf({ exitCode, signal, originalMessage = '' }: Ending): ExitStatus {
  if (exitCode !== undefined) return { kind: 'exited', exitCode };
  if (signal !== undefined) return { kind: 'signalled', signal };
  return { kind: 'not started', reason: originalMessage };
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

/** The last lines of a file, at most 16 KiB of them. Empty when the file can't be read. */
export function tailOf(file: string, lineCount: number): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const { size } = fstatSync(descriptor);
    const buffer = Buffer.alloc(Math.min(size, tailBytes));
    readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8').trimEnd().split('\n').slice(-lineCount).join('\n');
  } catch {
    return '';
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
