import { readdirSync, readFileSync } from 'node:fs';
import { waitUntil } from '../engine/wait.js';

/** How the processes of a program are known. */
export interface Origin {
  /** `NAME=value` in the environment that the program was started with, and nothing else. */
  mark: string;
  /** The session that the program leads; absent when it was never started. */
  session?: number | undefined;
}

export interface Process {
  pid: number;
  /** Without its arguments, which may hold secrets. */
  name: string;
}

interface Candidate extends Process {
  parent: number;
  session: number;
}

/**
 * Everything alive that a program started: what inherited its environment or its session, and the descendants of
 * those. Daemons have a session of their own, others an environment of their own; few have both.
 */
export function processesOf({ mark, session }: Origin): Process[] {
  const candidates = livingProcesses();
  const found = new Set(
    candidates.filter((process) => process.session === session || environmentOf(process.pid).includes(mark)),
  );
  for (let size = 0; size < found.size;) {
    size = found.size;
    const parents = new Set([...found].map(({ pid }) => pid));
    for (const candidate of candidates) if (parents.has(candidate.parent)) found.add(candidate);
  }
  return [...found].map(({ pid, name }) => ({ pid, name }));
}

const killDeadlineMs = 5_000;
const killIntervalMs = 20;

/** Kills everything that a program started. Returns what can't be killed. */
export async function killProcessesOf(origin: Origin): Promise<Process[]> {
  let left: Process[] = [];
  const kill = (): Promise<number> => {
    // Where the system doesn't tell its processes, the group is all there is.
    if (origin.session !== undefined) killQuietly(-origin.session);
    left = processesOf(origin);
    for (const { pid } of left) killQuietly(pid);
    return Promise.resolve(left.length);
  };
  await waitUntil(kill, (count) => count === 0, {
    what: 'the end of killed processes',
    deadlineMs: killDeadlineMs,
    intervalMs: killIntervalMs,
  }).catch(() => undefined);
  return left;
}

function livingProcesses(): Candidate[] {
  let entries: string[];
  try {
    entries = readdirSync('/proc');
  } catch {
    return []; // No procfs.
  }
  return entries.filter((entry) => /^\d+$/.test(entry)).flatMap((entry) => candidateOf(Number(entry)) ?? []);
}

function candidateOf(pid: number): Candidate | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  } catch {
    return undefined; // It has ended meanwhile.
  }
  // The second field is the program's name in parentheses and may hold anything.
  const [nameStart, nameEnd] = [stat.indexOf('(') + 1, stat.lastIndexOf(')')];
  const [state = 'X', parent, , session] = stat.slice(nameEnd + 2).split(' ');
  // A zombie is dead: only its parent hasn't noticed yet.
  if ('ZX'.includes(state)) return undefined;
  return { pid, name: stat.slice(nameStart, nameEnd), parent: Number(parent), session: Number(session) };
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${String(pid)}/environ`, 'utf8').split('\0');
  } catch {
    return []; // It has ended, or is another user's.
  }
}

function killQuietly(target: number): void {
  try {
    process.kill(target, 'SIGKILL');
  } catch {
    // Gone already, or another user's: then it is still there at the next look.
  }
}
