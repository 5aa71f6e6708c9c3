import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type Docker from 'dockerode';
import { WebSocket } from 'ws';
import type { Outputs } from '../../components/outputs.js';
import { serviceNames, type ServiceName } from '../../components/services.js';
import { connectDocker } from '../../engine/docker.js';
import { setUp } from '../../engine/setup.js';
import { waitUntil } from '../../engine/wait.js';
import { pulumiStacks, type Stack } from '../../runners/stack.js';
import { silentProgress } from '../helpers/progress.js';

/** The sample application when something around it breaks: what docs/application.md promises for that. */
const checkout = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const control = { timeoutMs: 240_000, onLine: () => undefined };
const patience = { deadlineMs: 30_000, intervalMs: 50 };

interface Frame {
  type: string;
  seq?: number;
  worker?: number;
  error?: string;
  data?: Record<string, unknown>;
}

let docker: Docker;
let folder: string;
let stack: Stack;
let outputs: Outputs;
const open = new Set<WebSocket>();

beforeAll(async () => {
  const engine = await setUp({ progress: silentProgress });
  docker = connectDocker(engine.dockerHost);
  folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-application-'));
  engine.env.PULUMI_BACKEND_URL = `file://${folder}`;
  stack = await pulumiStacks(engine.pulumi, { ...process.env, ...engine.env }, checkout, () =>
    Promise.resolve(checkout),
  ).create({
    name: `application-test-${process.pid}`,
    folder: path.join(folder, 'stack'),
    settings: { config: { 'rehearsal:profile': 'small' } },
  });
  outputs = await stack.up(control);
}, 600_000);

afterEach(() => {
  for (const socket of open) socket.terminate();
  open.clear();
});

afterAll(async () => {
  await stack.destroy(control);
  await rm(folder, { recursive: true });
}, 300_000);

const containerOf = (service: ServiceName): Docker.Container =>
  docker.getContainer(outputs.services[service].containerId);

async function post(url: string, body: object, token?: string): Promise<Record<string, string>> {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorization },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`POST ${url}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, string>;
}

async function newThread(): Promise<{ token: string; threadId: string }> {
  const { authUrl, backendUrl } = outputs.endpoints;
  const account = { email: `${randomUUID()}@example.test`, password: randomUUID() };
  await post(`${authUrl}/signup`, account);
  const { token = '' } = await post(`${authUrl}/login`, account);
  const { threadId = '' } = await post(`${backendUrl}/threads`, {}, token);
  return { token, threadId };
}

/** A subscriber of the thread from its first event on. */
async function follow({ token, threadId }: { token: string; threadId: string }) {
  const socket = new WebSocket(outputs.endpoints.backendWebSocketUrl);
  open.add(socket);
  const frames: Frame[] = [];
  socket.on('message', (data) => frames.push(JSON.parse((data as Buffer).toString()) as Frame));
  socket.on('open', () => {
    socket.send(JSON.stringify({ type: 'authenticate', token }));
    socket.send(JSON.stringify({ type: 'subscribe', threadId, afterSeq: 0 }));
  });
  const seen = (type: string, times = 1): Promise<Frame[]> =>
    waitUntil(
      () => Promise.resolve(frames.filter((frame) => frame.type === type)),
      (found) => found.length >= times,
      { what: `${times} × ${type}`, ...patience },
    );
  await seen('subscribed');
  return {
    worker: frames.find(({ type }) => type === 'ready')?.worker,
    seen,
    seqs: () => frames.flatMap(({ seq }) => seq ?? []),
    say: (content: string) => socket.send(JSON.stringify({ type: 'message', threadId, content })),
  };
}

async function exec(service: ServiceName, command: string): Promise<number | null> {
  const run = await containerOf(service).exec({ Cmd: ['sh', '-c', command], AttachStdout: true });
  const output = await run.start({});
  await once(output.resume(), 'end');
  return (await run.inspect()).ExitCode;
}

async function health(): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${outputs.endpoints.backendUrl}/health`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** The engine chooses another port whenever a container starts. */
async function findBackendAgain(): Promise<void> {
  const { NetworkSettings } = await containerOf('backend').inspect();
  const address = `127.0.0.1:${NetworkSettings.Ports['8080/tcp']?.[0]?.HostPort ?? ''}`;
  outputs.endpoints.backendUrl = `http://${address}`;
  outputs.endpoints.backendWebSocketUrl = `ws://${address}/ws`;
}

const untilHealthy = (): Promise<unknown> =>
  waitUntil(health, ({ status }) => status === 200, { what: 'the backend is healthy', ...patience });

async function whilePaused(service: ServiceName, work: () => Promise<void>): Promise<void> {
  await containerOf(service).pause();
  try {
    await work();
  } finally {
    await containerOf(service).unpause();
  }
}

test('a killed worker is replaced, its run fails for everybody to see, and the thread goes on', async () => {
  const thread = await newThread();
  const first = await follow(thread);
  first.say('[llm:hang]');
  await first.seen('agent_thinking');
  await exec(
    'backend',
    `for process in /proc/[0-9]*; do
       tr '\\0' '\\n' <$process/environ | grep -qx WORKER_NUMBER=${first.worker} && kill -9 \${process#/proc/}
     done`,
  );
  await untilHealthy();

  const second = await follow(thread);
  const [failed] = await second.seen('agent_failed');
  expect(failed?.data).toMatchObject({ error: 'internal' });
  second.say('still there?');
  await second.seen('agent_completed');
  expect(second.seqs()).toEqual([1, 2, 3, 4, 5, 6]);
}, 60_000);

test('subscribers get every event, once, though Redis went away between them', async () => {
  const subscriber = await follow(await newThread());
  subscriber.say('before');
  await subscriber.seen('agent_completed');
  await containerOf('redis').restart({ t: 5 });
  await untilHealthy();
  subscriber.say('after');
  await subscriber.seen('agent_completed', 2);
  expect(subscriber.seqs()).toEqual([1, 2, 3, 4, 5, 6]);
}, 60_000);

test("PgBouncer's health command and the backend's health tell of a database that hangs", async () => {
  await whilePaused('postgres', async () => {
    expect(await exec('pgbouncer', '/usr/local/bin/healthcheck >/dev/null 2>&1')).not.toBe(0);
    expect(await health()).toMatchObject({ status: 503, body: { postgres: 'unavailable', redis: 'ok' } });
  });
  await untilHealthy();
}, 60_000);

test('the frontend goes on without the backend, says so, and finds it again', async () => {
  const { frontendUrl } = outputs.endpoints;
  const answer = async (place: string): Promise<number> => (await fetch(`${frontendUrl}${place}`)).status;
  await containerOf('backend').stop();
  expect([await answer('/'), await answer('/health'), await answer('/api/threads')]).toEqual([200, 200, 502]);
  await containerOf('backend').start();
  await findBackendAgain();
  await waitUntil(
    () => answer('/api/threads'),
    (status) => status === 401,
    { what: 'the backend through the frontend', ...patience },
  );
  await untilHealthy();
}, 60_000);

test('no process has a password in its arguments', async () => {
  const { postgres, redis, clickhouse } = outputs.endpoints;
  for (const service of serviceNames) {
    const { Processes } = (await containerOf(service).top({ ps_args: '-eo pid,args' })) as {
      Processes: string[][];
    };
    const text = Processes.flat().join('\n');
    expect(text).not.toBe('');
    for (const { password } of [postgres, redis, clickhouse]) expect(text).not.toContain(password);
  }
}, 60_000);
