import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { connectDocker } from './docker.js';
import { waitUntil } from './wait.js';

const startDeadlineMs = 60_000;
const stopDeadlineMs = 60_000;

const recordSchema = z.object({ pid: z.int().positive(), startTime: z.string(), host: z.string() });
type DaemonRecord = z.infer<typeof recordSchema>;

export interface DaemonPlace {
  /** Keeps the daemon's log and the record by which it is known again. */
  folder: string;
  /** `unix://…` */
  host: string;
  dockerdArguments: string[];
}

const recordFile = (folder: string): string => path.join(folder, 'dockerd.json');
const logFile = (folder: string): string => path.join(folder, 'dockerd.log');

/**
 * Of a daemon that `startDaemon` starts, and of one on an AWS host. For each container it runs its own large program
 * three more times, and each of them begins with a collection of Go's garbage: with a larger heap before the first one
 * an environment comes up with 6 % less CPU, for 40 MiB more in the daemon.
 */
export const daemonEnvironment = { GOGC: '400' };

/**
 * Starts `dockerd` in a session of its own, so that it outlives this process and its terminal.
 * @throws Error with the end of the daemon's log when it ends or doesn't answer within a minute.
 */
export async function startDaemon({ folder, host, dockerdArguments }: DaemonPlace): Promise<void> {
  await mkdir(folder, { recursive: true });
  const log = openSync(logFile(folder), 'w', 0o600);
  const child = spawn('dockerd', ['--host', host, ...dockerdArguments], {
    detached: true,
    env: { ...daemonEnvironment, ...process.env },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  await once(child, 'spawn');
  child.unref();
  if (child.pid === undefined) throw new Error('dockerd was started but has no process id');
  await adoptDaemon(folder, host, child.pid);
}

/**
 * Waits until a daemon that is starting answers, and remembers it as one of the set-up's.
 * @throws Error with the end of its log when it ends or doesn't answer within a minute.
 */
export async function adoptDaemon(folder: string, host: string, pid: number): Promise<void> {
  // Written before the daemon answers: a set-up killed meanwhile must not leave one that nothing can stop.
  const startTime = await processStartTime(pid);
  if (startTime !== undefined) {
    await mkdir(folder, { recursive: true });
    const record: DaemonRecord = { pid, startTime, host };
    await writeFile(recordFile(folder), JSON.stringify(record), { mode: 0o600 });
  }
  const docker = connectDocker(host);
  const look = async (): Promise<'answers' | 'starting' | 'ended'> => {
    if ((await processStartTime(pid)) !== startTime || startTime === undefined) return 'ended';
    return docker.ping().then(
      () => 'answers',
      () => 'starting',
    );
  };
  const what = `Docker daemon ${pid} answers`;
  try {
    const state = await waitUntil(look, (found) => found !== 'starting', {
      what,
      deadlineMs: startDeadlineMs,
      intervalMs: 100,
    });
    if (state === 'ended') throw new Error(`Docker daemon ${pid} ended`);
  } catch (cause) {
    const log = await readFile(logFile(folder), 'utf8').catch(() => '(it has none)');
    const tail = log.trimEnd().split('\n').slice(-20).join('\n');
    throw new Error(`The Docker daemon could not be started; the end of ${logFile(folder)}:\n${tail}`, {
      cause,
    });
  }
}

/** The daemon that a set-up started here, if that very process still runs. */
export async function runningDaemon(folder: string): Promise<DaemonRecord | undefined> {
  const record = await readRecord(folder);
  if (record === undefined) return undefined;
  // A process id is used again, a process id with its start time isn't.
  return (await processStartTime(record.pid)) === record.startTime ? record : undefined;
}

/**
 * Ends the daemon that a set-up started here, and no other.
 * @returns the process id, or undefined when there is none.
 * @throws DeadlineExceededError when it doesn't end within a minute.
 */
export async function stopDaemon(folder: string): Promise<number | undefined> {
  const record = await runningDaemon(folder);
  if (record !== undefined) {
    process.kill(record.pid, 'SIGTERM');
    await waitUntil(
      () => processStartTime(record.pid),
      (startTime) => startTime !== record.startTime,
      { what: `Docker daemon ${record.pid} ends`, deadlineMs: stopDeadlineMs, intervalMs: 100 },
    );
  }
  await rm(recordFile(folder), { force: true });
  return record?.pid;
}

async function readRecord(folder: string): Promise<DaemonRecord | undefined> {
  let text: string;
  try {
    text = await readFile(recordFile(folder), 'utf8');
  } catch {
    return undefined;
  }
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    // Half a record is what a kill in mid-write leaves: it proves nothing about any process.
    return undefined;
  }
}

/** Clock ticks between boot and the process's start; undefined when it is gone or a zombie. */
async function processStartTime(pid: number): Promise<string | undefined> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field is the command in parentheses and may hold anything: count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}
