import { finished } from 'node:stream/promises';
import type Docker from 'dockerode';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { Endpoints } from '../../../components/outputs.js';
import { serviceNames, type ServiceName } from '../../../components/services.js';
import { killedCode } from '../../../engine/oom-kill.js';
import { systemClock, waitUntil } from '../../../engine/wait.js';
import { parseStats } from '../../../runners/memory.js';
import type { Crash } from '../../../runners/report/record.js';

/** An environment that stands. */
interface Place {
  endpoints: Endpoints;
  container: Docker.Container;
}

/** Something that befalls one service while a suite has its environment. */
export interface Harm {
  /** For the table. */
  title: string;
  /** What the record has to call it. */
  kind: Crash['kind'];
  /** Whether the service has ended with it, and with the service the suite. */
  ends: boolean;
  /** Processes that the kernel kills, at least. */
  kills: number;
  /** Services that it can befall. */
  services: readonly ServiceName[];
  /** Resolves when it has happened. */
  inflict: (place: Place) => Promise<void>;
}

const oom = { kind: 'oom', ends: true, kills: 1 } as const;
const stop = { kind: 'killed', ends: true, kills: 0, services: serviceNames } as const;

/** By the name that suites are given. */
export const harms = {
  'grows-until-killed': {
    ...oom,
    title: 'OOM kill of the main process, grown over seconds',
    services: ['redis'],
    inflict: growRedis,
  },
  'killed-at-once': {
    ...oom,
    title: 'OOM kill of the main process between two samples',
    services: serviceNames,
    // Whatever is filled at its cost, the kernel chooses the main process.
    inflict: ({ container }) => fillUp(container, 'echo 1000 >/proc/1/oom_score_adj && '),
  },
  'child-killed': {
    ...oom,
    title: 'OOM kill of a child, the main process lives',
    ends: false,
    services: serviceNames,
    inflict: ({ container }) => fillUp(container),
  },
  'restarts-inside': {
    ...oom,
    title: 'three OOM kills, each of what came again after the last',
    ends: false,
    kills: 3,
    services: ['postgres'],
    inflict: killBackends,
  },
  stopped: {
    ...stop,
    title: 'docker stop -t 0',
    inflict: ({ container }) => stopAtOnce(container),
  },
  'stopped-when-full': {
    ...stop,
    title: 'docker stop -t 0 of one whose memory is nearly full',
    inflict: async ({ container }) => {
      await nearlyFill(container);
      await stopAtOnce(container);
    },
  },
  'turns-unhealthy': {
    title: 'a health check that is not answered any more',
    kind: 'unhealthy',
    ends: true,
    kills: 0,
    services: ['redis'],
    inflict: pauseRedis,
  },
} as const satisfies Record<string, Harm>;
export type HarmName = keyof typeof harms;

/** Health checks for `turns-unhealthy`, which would take minutes with those of the profile. */
export const hastyHealthChecks = {
  redis: { healthCheck: { intervalSeconds: 1, timeoutSeconds: 3, retries: 2, startPeriodSeconds: 0 } },
};

const wait = { deadlineMs: 60_000, intervalMs: 50 };
const bytesPerMb = 1024 * 1024;

/** Fills a container's memory from inside until the kernel has killed something in it. */
async function fillUp(container: Docker.Container, before = ''): Promise<void> {
  const Cmd = ['sh', '-c', `${before}exec tail /dev/zero`];
  const exec = await container.exec({ Cmd, AttachStdout: true, AttachStderr: true });
  const stream = await exec.start({});
  let said = '';
  stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await finished(stream);
  const exitCode = await waitUntil(
    async () => (await exec.inspect()).ExitCode,
    (code) => code !== null,
    { ...wait, what: 'the end of the process that fills the memory' },
  );
  if (exitCode !== killedCode) throw new Error(`it ended with ${String(exitCode)}: ${said}`);
}

const stepMb = 2;
const stepMs = 80;

/** Stores more and more until there is nobody left to store it. */
async function growRedis({ endpoints }: Place): Promise<void> {
  const redis = new Redis({ ...endpoints.redis, retryStrategy: () => null });
  let lost: Error | undefined;
  redis.on('error', (error: Error) => (lost = error));
  redis.on('end', () => (lost ??= new Error('the connection has ended')));
  await redis.config('SET', 'maxmemory', '0');
  const value = Buffer.alloc(stepMb * bytesPerMb, 'x');
  for (let step = 0; lost === undefined; step += 1) {
    await redis.set(`grown:${String(step)}`, value).catch((error: unknown) => (lost ??= error as Error));
    await systemClock.sleep(stepMs);
  }
}

/** Makes a process of PostgreSQL's ask for more than the container has, three times. */
async function killBackends({ endpoints }: Place): Promise<void> {
  const connected = async (): Promise<pg.Client | undefined> => {
    const client = new pg.Client(endpoints.postgres);
    client.on('error', () => undefined); // The end of the connection is what is wanted.
    try {
      await client.connect();
      return client;
    } catch {
      return undefined; // It still recovers.
    }
  };
  for (let kill = 0; kill < harms['restarts-inside'].kills; kill += 1) {
    const isThere = (client: pg.Client | undefined): boolean => client !== undefined;
    const client = await waitUntil(connected, isThere, { ...wait, what: 'PostgreSQL' });
    const answer = await client?.query("SELECT length(repeat('x', 900000000))").catch(() => undefined);
    if (answer !== undefined) throw new Error('PostgreSQL had the memory');
  }
}

async function stopAtOnce(container: Docker.Container): Promise<void> {
  await container.stop({ t: 0 });
}

/** Of the room that there is. A process that ends at its limit is another harm. */
const filledShare = 0.7;

async function nearlyFill(container: Docker.Container): Promise<void> {
  const limitMb = ((await container.inspect()).HostConfig.Memory ?? 0) / bytesPerMb;
  const usedMb = async (): Promise<number> =>
    parseStats(await container.stats({ stream: false, 'one-shot': true }))?.usedMb ?? 0;
  const atFirstMb = await usedMb();
  const wantedMb = Math.floor((limitMb - atFirstMb) * filledShare);
  // `tail` keeps what has no end of line, and nobody reads what it says at the end.
  const script = `head -c ${String(wantedMb)}m /dev/zero | tail | sleep 1000`;
  const exec = await container.exec({ Cmd: ['sh', '-c', script] });
  await exec.start({ Detach: true });
  await waitUntil(usedMb, (mb) => mb >= atFirstMb + wantedMb * 0.9, { ...wait, what: 'memory that is full' });
}

const pauseMs = 60_000;

async function pauseRedis({ endpoints }: Place): Promise<void> {
  const redis = new Redis(endpoints.redis);
  await redis.call('CLIENT', 'PAUSE', String(pauseMs), 'ALL');
  redis.disconnect();
}
