import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import path from 'node:path';
import { underLock } from '../lock.js';
import { control, files, hostAlias, masterArguments, runSsh, sshClient } from './client.js';
import { explainNoConnection, explainNoDocker, identityProblem, readLog, TunnelError } from './failure.js';
import { restoreForwards } from './forwards.js';
import { describeTarget, readTarget, tunnelOfDockerHost, writeTarget, type SshTarget } from './target.js';

export interface TunnelOptions {
  /** For all of it. */
  deadlineMs?: number;
  signal?: AbortSignal;
}

const defaultDeadlineMs = 20_000;
const connectSeconds = 10;
const pingDeadlineMs = 5_000;
/** Linux's limit of a socket's path, less what `ssh` appends while it makes one. */
const longestSocketPath = 107 - 17;

/**
 * Makes sure that the Docker Engine of a host answers at `dockerHostOfTunnel(folder)`: by the connection that is
 * there, whoever made it, else by a new one, with the ports that were forwarded before. It stays when this process
 * ends, until nobody has used it for half an hour or `closeTunnel`.
 * @throws TunnelError, in one sentence, within the deadline; the signal's reason.
 */
export async function ensureTunnel(
  folder: string,
  target: SshTarget,
  { deadlineMs = defaultDeadlineMs, signal }: TunnelOptions = {},
): Promise<void> {
  signal?.throwIfAborted();
  const deadline = AbortSignal.timeout(deadlineMs);
  const ended = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
  try {
    if (isSame(await readTarget(folder), target) && (await answers(folder))) return;
    const problem = await identityProblem(target);
    if (problem !== undefined) throw problem;
    refuseLongPath(folder);
    // Others may have the lock for as long as their own deadlines last.
    await Promise.race([alone(folder, () => openUnlessOpen(folder, target, ended)), endOf(ended)]);
  } catch (error) {
    signal?.throwIfAborted();
    if (!deadline.aborted || error instanceof TunnelError) throw error;
    const seconds = String(deadlineMs / 1000);
    throw new TunnelError('deadline', `${describeTarget(target)}: no connection within ${seconds} s`, {
      cause: error,
    });
  }
}

/**
 * Brings the connection back that an address of a Docker Engine needs, if it needs one.
 * @throws TunnelError; Error when nobody knows any more which host it was.
 */
export async function reopenTunnel(dockerHost: string, options: TunnelOptions = {}): Promise<void> {
  const folder = tunnelOfDockerHost(dockerHost);
  if (folder === undefined) return;
  const target = await readTarget(folder);
  if (target === undefined)
    throw new Error(`${folder} does not say which host's Docker Engine ${dockerHost} is`);
  await ensureTunnel(folder, target, options);
}

/**
 * Ends the connection and all that goes through it, and forgets the host.
 * @param isUsed says so while nobody can open it: then it stays.
 */
export async function closeTunnel(
  folder: string,
  isUsed: () => Promise<boolean> = () => Promise.resolve(false),
): Promise<void> {
  await alone(folder, async () => {
    if (await isUsed()) return;
    await close(folder);
    await rm(folder, { recursive: true, force: true });
  });
}

function endOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

/** The lock is beside the folder, so that it can go. */
const alone = (folder: string, work: () => Promise<void>): Promise<void> =>
  underLock({ folder: path.dirname(folder), name: path.basename(folder) }, work);

/** Whether the process that holds the connection lives. */
export const isConnected = async (folder: string): Promise<boolean> => (await control(folder, 'check')) === 0;

/** Tells one connection from those before and after it; undefined when there was none yet. */
export const openingOf = (folder: string): Promise<string | undefined> =>
  readFile(files(folder).opened, 'utf8').catch(() => undefined);

async function openUnlessOpen(folder: string, target: SshTarget, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const sameTarget = isSame(await readTarget(folder), target);
  if (sameTarget && (await answers(folder))) return;
  if (sameTarget && (await isConnected(folder))) {
    // The connection stands and somebody may use it for other things: it is the engine that doesn't answer.
    throw await explainNoDocker(folder, target, signal);
  }
  await close(folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await open(folder, target, signal);
}

async function open(folder: string, target: SshTarget, signal: AbortSignal): Promise<void> {
  const { log, knownHosts, opened } = files(folder);
  await writeFile(knownHosts, `${hostAlias} ${target.hostKey}\n`, { mode: 0o600 });
  await writeTarget(folder, target);
  await writeFile(log, '', { mode: 0o600 });
  const { exitCode } = await runSsh(sshClient(), masterArguments(folder, target, log, connectSeconds), {
    signal,
    silent: true,
  });
  signal.throwIfAborted();
  if (exitCode !== 0) throw await explainNoConnection(target, await readLog(log), signal);
  if (!(await answers(folder))) {
    const problem = await explainNoDocker(folder, target, signal);
    await close(folder);
    throw problem;
  }
  await restoreForwards(folder);
  await writeFile(opened, randomUUID(), { mode: 0o600 });
}

async function close(folder: string): Promise<void> {
  await control(folder, 'exit');
  const { control: socket, socket: docker } = files(folder);
  // What a killed process left.
  await Promise.all([socket, docker].map((file) => rm(file, { force: true })));
}

/** What is to be had through the connection: the Docker Engine, a refusal at once, or nothing in time. */
export async function probe(folder: string): Promise<'answers' | 'refuses' | 'is silent'> {
  const { socket: socketPath } = files(folder);
  const signal = AbortSignal.timeout(pingDeadlineMs);
  return new Promise((resolve) => {
    const request = get({ socketPath, path: '/_ping', signal });
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? 'answers' : 'refuses');
    });
    request.on('error', () => {
      resolve(signal.aborted ? 'is silent' : 'refuses');
    });
  });
}

export const answers = async (folder: string): Promise<boolean> => (await probe(folder)) === 'answers';

const isSame = (one: SshTarget | undefined, other: SshTarget): boolean =>
  one !== undefined &&
  one.address === other.address &&
  one.port === other.port &&
  one.user === other.user &&
  one.hostKey === other.hostKey;

function refuseLongPath(folder: string): void {
  const { control: socket } = files(folder);
  if (Buffer.byteLength(socket) <= longestSocketPath) return;
  throw new Error(
    `${socket} is too long for the path of a socket (${String(longestSocketPath)} bytes at most): choose a shorter REHEARSAL_CACHE`,
  );
}
