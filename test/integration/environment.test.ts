import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type Docker from 'dockerode';
import { execa } from 'execa';
import pg from 'pg';
import { labelKeys } from '../../components/labels.js';
import type { Outputs } from '../../components/outputs.js';
import { profiles, serviceNames, type ServiceName } from '../../components/services.js';
import { connectDocker } from '../../engine/docker.js';
import { setUp, type EngineEnvironment } from '../../engine/setup.js';
import { waitUntil } from '../../engine/wait.js';
import { cgroupOf } from '../../runners/cgroup.js';
import { parseStats } from '../../runners/memory.js';
import { pulumiStacks, type Stack } from '../../runners/stack.js';
import { silentProgress } from '../helpers/progress.js';

/** One real environment, by the real Pulumi engine on the real Docker Engine, looked at from all sides. */
const checkout = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const stackName = `environment-test-${process.pid}`;
const mebibyte = 1024 * 1024;
const second = 1_000_000_000;
const control = { timeoutMs: 240_000, onLine: () => undefined };

let engine: EngineEnvironment;
let env: NodeJS.ProcessEnv;
let docker: Docker;
let folder: string;
let backend: string;
let stack: Stack;
let outputs: Outputs;
let inspected: Record<ServiceName, Docker.ContainerInspectInfo>;
/** Of it, when it was all there but what takes memory. */
let beforeStart: Left;

beforeAll(async () => {
  engine = await setUp({ progress: silentProgress });
  docker = connectDocker(engine.dockerHost);
  folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-environment-'));
  backend = await mkdtemp(path.join(tmpdir(), 'rehearsal-backend-'));
  env = { ...process.env, ...engine.env, PULUMI_BACKEND_URL: `file://${backend}` };
  stack = await pulumiStacks(engine.pulumi, env, checkout).create({
    name: stackName,
    folder,
    settings: { config: { 'rehearsal:profile': 'small' } },
  });
  const start = new AbortController();
  const up = stack.up({ ...control, mayStart: once(start.signal, 'abort').then(() => undefined) });
  const early = { what: 'network and volumes', deadlineMs: 60_000, intervalMs: 100 };
  await waitUntil(
    () => leftovers(),
    ({ volumes, networks }) => volumes.length === 3 && networks.length === 1,
    early,
  );
  await sleep(500);
  beforeStart = await leftovers();
  start.abort();
  outputs = await up;
  const entries = await Promise.all(
    serviceNames.map(async (name) => [
      name,
      await docker.getContainer(outputs.services[name].containerId).inspect(),
    ]),
  );
  inspected = Object.fromEntries(entries) as typeof inspected;
}, 600_000);

afterAll(async () => {
  await stack.destroy(control);
  const left = await leftovers();
  await rm(folder, { recursive: true });
  await rm(backend, { recursive: true });
  expect(left).toEqual({ containers: [], volumes: [], networks: [] });
}, 300_000);

interface Left {
  containers: string[];
  volumes: string[];
  networks: string[];
}

async function leftovers(stack = stackName): Promise<Left> {
  const filters = { label: [`${labelKeys.stack}=${stack}`] };
  const [containers, volumes, networks] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listVolumes({ filters: JSON.stringify(filters) as unknown as Record<string, string[]> }),
    docker.listNetworks({ filters }),
  ]);
  return {
    containers: containers.map(({ Names }) => Names[0] ?? ''),
    volumes: volumes.Volumes.map(({ Name }) => Name),
    networks: networks.map(({ Name }) => Name),
  };
}

/** What the CLI says of an operation on the stack, without applying anything. */
async function pulumi(...args: string[]): Promise<string> {
  const { stdout } = await execa(
    engine.pulumi,
    [...args, '--stack', stackName, '--non-interactive', '--color', 'never'],
    { cwd: folder, env, extendEnv: false, stdin: 'ignore' },
  );
  return stdout;
}

async function exec(service: ServiceName, ...command: string[]): Promise<string> {
  const container = docker.getContainer(outputs.services[service].containerId);
  const run = await container.exec({ Cmd: command, AttachStdout: true, Tty: true });
  const stream = await run.start({ Tty: true });
  let text = '';
  for await (const chunk of stream as AsyncIterable<Buffer>) text += chunk.toString();
  return text.trim();
}

describe('an up whose containers may not start yet', () => {
  test('makes what takes no memory, and no container', () => {
    expect(beforeStart).toEqual({
      containers: [],
      volumes: expect.any(Array),
      networks: [outputs.network],
    });
  });

  test('ends when it is cancelled, and what it made goes with the stack', async () => {
    const name = `${stackName}-cancelled`;
    const own = await mkdtemp(path.join(tmpdir(), 'rehearsal-environment-'));
    const settings = { config: { 'rehearsal:profile': 'small' } };
    const cancelled = await pulumiStacks(engine.pulumi, env, checkout).create({
      name,
      folder: own,
      settings,
    });
    const cancel = new AbortController();
    const mayStart = new Promise<void>(() => undefined);
    const up = cancelled.up({ ...control, signal: cancel.signal, mayStart });
    const made = { what: 'the network', deadlineMs: 60_000, intervalMs: 100 };
    await waitUntil(
      () => leftovers(name),
      ({ networks }) => networks.length === 1,
      made,
    );
    cancel.abort();
    await expect(up).rejects.toThrow('pulumi up was cancelled');
    await cancelled.destroy(control);
    expect(await leftovers(name)).toEqual({ containers: [], volumes: [], networks: [] });
    await rm(own, { recursive: true });
  }, 120_000);
});

describe.each(serviceNames)('the container of %s', (name) => {
  const { memoryMb, healthCheck } = profiles.small.services[name];

  test('has its hard memory limit, swap included, a pids limit and its share of the processors', () => {
    expect(inspected[name].HostConfig).toMatchObject({
      Memory: memoryMb * mebibyte,
      MemorySwap: memoryMb * mebibyte,
      PidsLimit: 256,
      CpuShares: name === 'backend' ? 4096 : 0,
    });
  });

  test("has its profile's health check", () => {
    expect(inspected[name].Config.Healthcheck).toEqual({
      Test: ['CMD', '/usr/local/bin/healthcheck'],
      Interval: healthCheck.intervalSeconds * second,
      Timeout: healthCheck.timeoutSeconds * second,
      Retries: healthCheck.retries,
      StartPeriod: healthCheck.startPeriodSeconds * second,
    });
  });

  test('uses by what the kernel says as much as by what the engine says', async () => {
    const { Id: containerId, State } = inspected[name];
    const stats = await docker.getContainer(containerId).stats({ stream: false, 'one-shot': true });
    const usedMb = cgroupOf({ containerId, pid: State.Pid })?.usedMb() ?? Number.NaN;
    // What lives allocates between two looks.
    expect(Math.abs(usedMb - (parseStats(stats)?.usedMb ?? Number.NaN))).toBeLessThan(8);
  });

  test('its health command succeeds', async () => {
    expect(await exec(name, 'sh', '-c', '/usr/local/bin/healthcheck >/dev/null 2>&1; echo $?')).toBe('0');
  });

  test('runs without privileges and with bounded logs', () => {
    expect(inspected[name].Config.User).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(inspected[name].HostConfig).toMatchObject({
      Privileged: false,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '2' } },
    });
  });

  test('publishes on loopback only, on a port the engine chose', () => {
    // A port that the image exposes but nobody publishes is null.
    const bindings = Object.values(inspected[name].NetworkSettings.Ports).flat().filter(Boolean);
    expect(bindings).toEqual([{ HostIp: '127.0.0.1', HostPort: String(outputs.services[name].port) }]);
  });

  test('is labelled, and on the network of its environment under its own name', () => {
    expect(inspected[name].Config.Labels).toMatchObject({
      [labelKeys.run]: stackName,
      [labelKeys.suite]: 'none',
      [labelKeys.branch]: 'none',
      [labelKeys.stack]: stackName,
      [labelKeys.service]: name,
      [labelKeys.expiresAt]: outputs.expiresAt,
    });
    const networks = inspected[name].NetworkSettings.Networks;
    expect(Object.keys(networks)).toEqual([outputs.network]);
    expect(networks[outputs.network]?.Aliases).toContain(name);
  });
});

describe('volumes and networks', () => {
  test('stores keep their data on named, labelled volumes', async () => {
    for (const name of ['postgres', 'redis', 'clickhouse'] as const) {
      const volumes = inspected[name].Mounts.filter((mount) => mount.Type === 'volume');
      expect(volumes).toHaveLength(1);
      const volume = await docker.getVolume(volumes[0]?.Name ?? '').inspect();
      expect(volume.Labels).toMatchObject({ [labelKeys.stack]: stackName, [labelKeys.service]: name });
    }
  });

  test('nothing else has a volume', () => {
    for (const name of ['pgbouncer', 'llm', 'auth', 'backend', 'frontend'] as const) {
      expect(inspected[name].Mounts.filter((mount) => mount.Type === 'volume')).toEqual([]);
    }
  });
});

describe('settings that inspect can not prove', () => {
  test('PostgreSQL has its shared_buffers, and refuses a wrong password', async () => {
    const client = new pg.Client(outputs.endpoints.postgres);
    await client.connect();
    const { rows } = await client.query<{ shared_buffers: string }>('SHOW shared_buffers');
    await client.end();
    expect(rows[0]?.shared_buffers).toBe('32MB');
    const intruder = new pg.Client({ ...outputs.endpoints.postgres, password: 'wrong' });
    await expect(intruder.connect()).rejects.toThrow(/password authentication failed/);
  });

  test('PgBouncer reaches the same database', async () => {
    const client = new pg.Client(outputs.endpoints.pgbouncer);
    await client.connect();
    const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
    await client.end();
    expect(rows[0]?.name).toBe(outputs.endpoints.postgres.database);
  });

  test('Redis has its maxmemory, and refuses whoever has no password', async () => {
    const ask = (authenticate: string): Promise<string> =>
      exec('redis', 'sh', '-c', `printf '${authenticate}CONFIG GET maxmemory\\r\\n' | redis-cli 2>&1`);
    expect(await ask(`AUTH ${outputs.endpoints.redis.password}\\r\\n`)).toContain(String(48 * mebibyte));
    expect(await ask('')).toContain('NOAUTH');
  });

  test('ClickHouse answers its user and nobody else', async () => {
    const { url, user, password } = outputs.endpoints.clickhouse;
    const ask = (key: string): Promise<Response> =>
      fetch(`${url}/?query=SELECT%2042`, {
        headers: { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': key },
      });
    const answer = await ask(password);
    expect((await answer.text()).trim()).toBe('42');
    expect((await ask('wrong')).ok).toBe(false);
  });

  test('the backend has its workers', async () => {
    const health = (await (await fetch(`${outputs.endpoints.backendUrl}/health`)).json()) as {
      workers: number;
    };
    expect(health.workers).toBe(2);
  });
});

describe('the stack', () => {
  test('has no changes on a second look', async () => {
    const preview = JSON.parse(await pulumi('preview', '--json')) as {
      changeSummary: Record<string, number>;
    };
    expect(Object.keys(preview.changeSummary)).toEqual(['same']);
  }, 120_000);

  test('has no changes after a refresh', async () => {
    const refresh = await pulumi('refresh', '--yes', '--skip-preview');
    expect(refresh).toMatch(/\d+ unchanged/);
    expect(refresh).not.toMatch(/\d+ (updated|deleted|created|changed)/);
    const preview = JSON.parse(await pulumi('preview', '--json')) as {
      changeSummary: Record<string, number>;
    };
    expect(Object.keys(preview.changeSummary)).toEqual(['same']);
  }, 120_000);

  test('keeps its passwords encrypted', async () => {
    const state = await readFile(path.join(backend, '.pulumi/stacks/rehearsal', `${stackName}.json`), 'utf8');
    const { postgres, redis, clickhouse } = outputs.endpoints;
    for (const { password } of [postgres, redis, clickhouse]) {
      expect(password).toHaveLength(32);
      expect(state).not.toContain(password);
      expect(await readFile(path.join(folder, 'up.log'), 'utf8')).not.toContain(password);
    }
  });
});
