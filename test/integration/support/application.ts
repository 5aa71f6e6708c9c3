import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type Docker from 'dockerode';
import { WebSocket } from 'ws';
import type { Outputs } from '../../../components/outputs.js';
import type { ServiceName } from '../../../components/services.js';
import { textOfFrames } from '../../../engine/container-log.js';
import { connectDocker, resolveDockerHost } from '../../../engine/docker.js';
import { setUp } from '../../../engine/setup.js';
import { checkout } from '../../../engine/state.js';
import { waitUntil } from '../../../engine/wait.js';
import { pulumiStacks } from '../../../runners/stack.js';
import { silentProgress } from '../../helpers/progress.js';

const control = { timeoutMs: 240_000, onLine: () => undefined };
export const patience = { deadlineMs: 30_000, intervalMs: 50 };

export interface Frame {
  type: string;
  seq?: number;
  worker?: number;
  runId?: string;
  error?: string;
  data?: Record<string, unknown>;
}

export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

export interface Thread {
  token: string;
  threadId: string;
}

/**
 * The sample application on `small`, in an environment of its own, as users see it and with its containers at
 * hand.
 * @param config settings beside the profile.
 */
export async function startApplication(name: string, config: Record<string, unknown> = {}) {
  const engine = await setUp({ progress: silentProgress });
  const docker = connectDocker(engine.dockerHost);
  const folder = await mkdtemp(path.join(tmpdir(), `rehearsal-${name}-`));
  engine.env.PULUMI_BACKEND_URL = `file://${folder}`;
  const stack = await pulumiStacks(engine.pulumi, { ...process.env, ...engine.env }, checkout).create({
    name: `${name}-test-${process.pid}`,
    folder: path.join(folder, 'stack'),
    settings: { config: { 'rehearsal:profile': 'small', ...config } },
  });
  const sockets = new Set<WebSocket>();
  const stop = async (): Promise<void> => {
    await stack.destroy(control);
    await rm(folder, { recursive: true });
  };
  let outputs: Outputs;
  try {
    outputs = await stack.up(control);
  } catch (error) {
    await stop();
    throw error;
  }
  const { endpoints } = outputs;

  const containerOf = (service: ServiceName): Docker.Container =>
    docker.getContainer(outputs.services[service].containerId);

  /** A subscriber of the thread from its first event on. */
  async function follow({ token, threadId }: Thread) {
    const socket = new WebSocket(endpoints.backendWebSocketUrl);
    sockets.add(socket);
    const frames: Frame[] = [];
    let closure: { code: number; reason: string } | undefined;
    socket.on('message', (data) => frames.push(JSON.parse((data as Buffer).toString()) as Frame));
    socket.on('close', (code, reason) => (closure = { code, reason: reason.toString() }));
    socket.on('open', () => {
      socket.send(JSON.stringify({ type: 'authenticate', token }));
      socket.send(JSON.stringify({ type: 'subscribe', threadId, afterSeq: 0 }));
    });
    const seen = (type: string, times = 1): Promise<Frame[]> =>
      waitUntil(
        () => Promise.resolve(frames.filter((frame) => frame.type === type)),
        (found) => found.length >= times,
        { what: `${String(times)} × ${type}`, ...patience },
      );
    const [outcome] = await waitUntil(
      () => Promise.resolve(frames.filter(({ type }) => type === 'subscribed' || type === 'error')),
      ({ length }) => length > 0 || closure !== undefined,
      { what: 'an answer to subscribe', ...patience },
    );
    if (outcome?.type !== 'subscribed')
      throw new Error(`not subscribed: ${JSON.stringify(closure ?? outcome)}`);
    return {
      worker: frames.find(({ type }) => type === 'ready')?.worker,
      seen,
      closed: () =>
        waitUntil(
          () => Promise.resolve(closure),
          (value) => value !== undefined,
          { what: 'the server closes the connection', ...patience },
        ),
      seqs: () => frames.flatMap(({ seq }) => seq ?? []),
      say: (content: string) => socket.send(JSON.stringify({ type: 'message', threadId, content })),
      leave: () => socket.terminate(),
    };
  }
  type Subscriber = Awaited<ReturnType<typeof follow>>;

  /** As `follow`, connecting until one of the workers wanted is at the other end. */
  const followOn = (thread: Thread, wanted: (worker: number | undefined) => boolean): Promise<Subscriber> =>
    waitUntil(
      async () => {
        const subscriber = await follow(thread);
        if (!wanted(subscriber.worker)) subscriber.leave();
        return subscriber;
      },
      ({ worker }) => wanted(worker),
      { what: 'a connection to another worker', ...patience },
    );

  /** @returns The exit code of a shell command inside the service's container. */
  async function exec(service: ServiceName, command: string): Promise<number | null> {
    const run = await containerOf(service).exec({ Cmd: ['sh', '-c', command], AttachStdout: true });
    const output = await run.start({});
    await once(output.resume(), 'end');
    return (await run.inspect()).ExitCode;
  }

  const health = (service: 'auth' | 'backend' = 'backend'): Promise<Answer> =>
    request('GET', `${service === 'auth' ? endpoints.authUrl : endpoints.backendUrl}/health`);

  async function newUser(): Promise<string> {
    const account = { email: `${randomUUID()}@example.test`, password: randomUUID() };
    await must(request('POST', `${endpoints.authUrl}/signup`, { body: account }));
    const { token } = await must(request('POST', `${endpoints.authUrl}/login`, { body: account }));
    return String(token);
  }

  return {
    docker,
    outputs,
    containerOf,
    exec,
    health,
    /** The services that others connect to, and that connect to others. */
    untilHealthy: (): Promise<unknown> =>
      waitUntil(
        () => Promise.all([health('backend'), health('auth')]),
        (answers) => answers.every(({ status }) => status === 200),
        { what: 'backend and auth are healthy', ...patience },
      ),
    newUser,
    async newThread(): Promise<Thread> {
      const token = await newUser();
      const { threadId } = await must(
        request('POST', `${endpoints.backendUrl}/threads`, { token, body: {} }),
      );
      return { token, threadId: String(threadId) };
    },
    follow,
    followOn,
    /** The numbers of a thread's events in ClickHouse, in order. */
    async loggedSeqs({ threadId }: Thread): Promise<number[]> {
      const { url, user, password, database } = endpoints.clickhouse;
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password },
        body: `SELECT seq FROM ${database}.events WHERE thread_id = '${threadId}' ORDER BY seq FORMAT TSV`,
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`ClickHouse answered ${String(response.status)}: ${text}`);
      return text.split('\n').filter(Boolean).map(Number);
    },
    async logOf(service: ServiceName): Promise<string> {
      return textOfFrames(await containerOf(service).logs({ stdout: true, stderr: true }));
    },
    /** Pauses a service's container while `work` is done. */
    async whilePaused<T>(service: ServiceName, work: () => Promise<T>): Promise<T> {
      await containerOf(service).pause();
      try {
        return await work();
      } finally {
        await containerOf(service).unpause();
      }
    },
    /** Ends what a test has left open. */
    disconnect(): void {
      for (const socket of sockets) socket.terminate();
      sockets.clear();
    },
    stop,
  };
}
export type Application = Awaited<ReturnType<typeof startApplication>>;

/** An address of this host that containers reach, and nobody outside it. */
export async function bridgeAddress(): Promise<string> {
  const { IPAM } = (await connectDocker(resolveDockerHost()).getNetwork('bridge').inspect()) as {
    IPAM: { Config: { Gateway?: string; Subnet: string }[] };
  };
  const [config] = IPAM.Config;
  if (config === undefined) throw new Error('the network "bridge" has no addresses');
  // At its first start a daemon takes the subnet's first address, and doesn't tell of it.
  return config.Gateway ?? config.Subnet.replace(/\.0\/\d+$/, '.1');
}

export async function request(
  method: 'GET' | 'POST',
  url: string,
  { token, body }: { token?: string; body?: object } = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

async function must(answer: Promise<Answer>): Promise<Answer['body']> {
  const { status, body } = await answer;
  if (status >= 300) throw new Error(`HTTP ${String(status)}: ${JSON.stringify(body)}`);
  return body;
}
