import type Docker from 'dockerode';
import { textOfFrames } from '../engine/container-log.js';
import { reasonOf } from '../engine/errors.js';
import { killedCode, lateOom } from '../engine/oom-kill.js';
import { redact, secretsOfVariables } from '../engine/redact.js';
import { systemClock, waitUntil } from '../engine/wait.js';

/**
 * How a service is asked whether it is ready: by a command inside its container (exit code 0), or by an HTTP
 * request to its published port (any 2xx).
 */
export type Readiness =
  { kind: 'exec'; command: readonly string[] } | { kind: 'http'; internalPort: number; path: string };

const pollIntervalMs = 50;
/**
 * A request to a service that is just coming up may hang for good, though the next one is answered at once. So the first
 * ones get little time, and each that it wasn't enough for gives the next one twice as much: a service may be slow.
 */
const requestTimeoutsMs = { first: 100, longest: 5_000 };
const logLines = 30;
/** So long it may take to know of an end that a probe has met already; a killed one surely has. */
const settleMs = { anyProbe: 2_500, killedProbe: 10_000 };

interface WaitForServiceArgs {
  docker: Docker;
  containerId: string;
  service: string;
  readiness: Readiness;
  deadlineSeconds: number;
  /** Names of the container's variables that are secret whatever they are called. */
  secretVariables: readonly string[];
  /** From a port that the container publishes to the one that leads there from here. */
  reach: (port: number) => Promise<number>;
}

/**
 * Waits until the service answers. Health checks report this too, but only at their next tick, 10 s apart.
 * @throws Error as soon as the container exits, is OOM-killed, turns unhealthy or is gone, and at the deadline,
 *   each with the container's last log lines.
 */
export async function waitForService(args: WaitForServiceArgs): Promise<void> {
  const { docker, containerId, service, readiness } = args;
  const container = docker.getContainer(containerId);
  const over = new AbortController();
  const ended = watchForEnd(docker, containerId, over.signal);
  const answered =
    readiness.kind === 'exec'
      ? answersByExec(container, readiness.command, args.deadlineSeconds)
      : answersByHttp(container, readiness, { ...args, signal: over.signal });
  let end: string | undefined;
  let cause: unknown;
  try {
    end = await Promise.race([ended, answered.then(() => undefined)]);
    if (end === undefined) return;
  } catch (error) {
    cause = error;
    // A probe breaks off a moment before the engine knows that its container died: that says more.
    const isKilled = error instanceof ProbeError && error.exitCode === killedCode;
    const patienceMs = isKilled ? settleMs.killedProbe : settleMs.anyProbe;
    const settled = systemClock.sleep(patienceMs, over.signal).then(() => undefined);
    end = await Promise.race([ended, settled]).catch(() => undefined);
  } finally {
    over.abort();
    // Whichever lost the race ends by the abort; its error has no reader.
    ended.catch(() => undefined);
    answered.catch(() => undefined);
  }
  const message = `${service} is not ready: ${end ?? reasonOf(cause)}\n${await lastLogLines(container)}`;
  // It ends up on a terminal and in a CI's log.
  throw new Error(redact(message, await secretsOf(container, args.secretVariables)), { cause });
}

async function secretsOf(container: Docker.Container, secretVariables: readonly string[]): Promise<string[]> {
  const inspected = await container.inspect().catch(() => undefined);
  // A container that is gone has no log to quote from either.
  return secretsOfVariables(inspected?.Config.Env ?? [], secretVariables);
}

/** Resolves with the reason once the container can't become ready any more. */
async function watchForEnd(docker: Docker, containerId: string, signal: AbortSignal): Promise<string> {
  const container = docker.getContainer(containerId);
  const events = (await docker.getEvents({
    filters: { container: [containerId], event: ['die', 'destroy', 'health_status'] },
    abortSignal: signal,
  })) as NodeJS.ReadableStream & AsyncIterable<Buffer>;
  // What happened before the subscription is not in the stream.
  const before = await describeEnd(container);
  if (before !== undefined) return before;
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- the event only says: look
  for await (const _event of events) {
    const end = await describeEnd(container);
    if (end !== undefined) return end;
  }
  throw new Error('the Docker Engine closed its event stream');
}

async function describeEnd(container: Docker.Container): Promise<string | undefined> {
  let state: Docker.ContainerInspectInfo['State'];
  try {
    state = (await container.inspect()).State;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return 'its container was removed';
    throw error;
  }
  if (state.OOMKilled) return `its container was OOM-killed (exit code ${state.ExitCode})`;
  if (state.Status === 'removing') return 'its container was removed';
  if (state.Status === 'exited' || state.Status === 'dead') {
    const isOom = state.ExitCode === killedCode && (await wasOomAfterAll(container));
    return `its container ${isOom ? 'was OOM-killed (exit code 137)' : `exited with code ${state.ExitCode}`}`;
  }
  if (state.Health?.Status === 'unhealthy') {
    const last = state.Health.Log.at(-1);
    return `its health check failed ${state.Health.FailingStreak} times: ${last?.Output.trim() ?? ''}`;
  }
  return undefined;
}

const wasOomAfterAll = (container: Docker.Container): Promise<boolean> =>
  waitUntil(
    async () => (await container.inspect()).State.OOMKilled,
    (isOom) => isOom,
    { what: 'an OOM kill', ...lateOom },
  ).catch(() => false);

/** A probe ended before it was answered. */
class ProbeError extends Error {
  override readonly name = 'ProbeError';
  constructor(
    readonly exitCode: number | null,
    output: string,
  ) {
    super(`its probe ended with code ${exitCode ?? 'unknown'}: ${output}`);
  }
}

async function answersByExec(
  container: Docker.Container,
  command: readonly string[],
  deadlineSeconds: number,
): Promise<void> {
  // The loop runs inside the container, with its own deadline: ending an exec's client doesn't end the exec.
  // What the shell can't find (127) or run (126) won't be there a moment later either.
  const loop =
    'until "$@" >/dev/null 2>&1; do case $? in 126) exit 126 ;; 127) exit 127 ;; esac; sleep 0.05; done';
  const exec = await container.exec({
    Cmd: ['timeout', String(deadlineSeconds), 'sh', '-c', loop, 'sh', ...command],
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({});
  let output = '';
  stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await new Promise<void>((resolve, reject) => {
    stream.on('end', resolve).on('error', reject);
  });
  const { ExitCode } = await exec.inspect();
  if (ExitCode === 126 || ExitCode === 127) {
    throw new Error(
      `its health command "${command.join(' ')}" is not found in the image, or can't be run there`,
    );
  }
  if (ExitCode === 124 || ExitCode === 143) {
    throw new Error(`"${command.join(' ')}" did not succeed within ${deadlineSeconds} s`);
  }
  if (ExitCode !== 0) throw new ProbeError(ExitCode, output.trim());
}

async function answersByHttp(
  container: Docker.Container,
  { internalPort, path }: Extract<Readiness, { kind: 'http' }>,
  {
    deadlineSeconds,
    reach,
    signal,
  }: Pick<WaitForServiceArgs, 'deadlineSeconds' | 'reach'> & { signal: AbortSignal },
): Promise<void> {
  const { NetworkSettings } = await container.inspect();
  const published = NetworkSettings.Ports[`${internalPort}/tcp`]?.[0];
  if (published === undefined) throw new Error(`its port ${internalPort} is not published`);
  const url = `http://127.0.0.1:${await reach(Number(published.HostPort))}${path}`;
  const endsAtMs = performance.now() + deadlineSeconds * 1000;
  let timeoutMs = requestTimeoutsMs.first;
  const ask = async (): Promise<string> => {
    const answer = await answerTo(url, Math.min(timeoutMs, endsAtMs - performance.now()), signal);
    if (answer === noAnswer) timeoutMs = Math.min(2 * timeoutMs, requestTimeoutsMs.longest);
    return answer;
  };
  await waitUntil(ask, (answer) => answer === 'ok', {
    what: `GET ${path} on port ${internalPort}`,
    deadlineMs: deadlineSeconds * 1000,
    intervalMs: pollIntervalMs,
    signal,
  });
}

const noAnswer = 'no answer in time';

/**
 * 'ok', or why not. A request that hangs must not outlast the deadline. Timers of our own: Node 20 lets signals of
 * `AbortSignal.timeout` that were combined by `AbortSignal.any` be collected, and then they never abort.
 */
async function answerTo(url: string, timeoutMs: number, signal: AbortSignal): Promise<string> {
  const request = new AbortController();
  const end = (): void => {
    request.abort(signal.aborted ? signal.reason : new Error(noAnswer));
  };
  const timer = setTimeout(end, Math.max(0, timeoutMs));
  signal.addEventListener('abort', end);
  try {
    const response = await fetch(url, { signal: request.signal });
    await response.body?.cancel();
    return response.ok ? 'ok' : `HTTP ${response.status}`;
  } catch (error) {
    return reasonOf(error instanceof Error && error.cause instanceof Error ? error.cause : error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}

async function lastLogLines(container: Docker.Container): Promise<string> {
  try {
    const logs = await container.logs({ stdout: true, stderr: true, tail: logLines });
    return `last log lines:\n${textOfFrames(logs).trimEnd() || '(none)'}`;
  } catch (error) {
    return `no log lines to be had: ${reasonOf(error)}`;
  }
}
