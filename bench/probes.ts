import { connect } from 'node:net';
import pg from 'pg';
import type { ServiceName } from '../components/services.js';
import { waitUntil } from '../engine/wait.js';

/** Where a service is reached, and what it was started with. */
export interface Target {
  service: ServiceName;
  /** On this machine's loopback. */
  port: number;
  environment: readonly string[];
}

const intervalMs = 50;
const deadlineMs = 120_000;
const answerMs = 2_000;

/** Asks a service over the network, in its own protocol, every 50 ms until it answers as one that is ready. */
export async function untilReady(target: Target, signal: AbortSignal): Promise<void> {
  const ask = probes[target.service];
  const variables = new Map(target.environment.map((entry) => entry.split(/=(.*)/s, 2) as [string, string]));
  await waitUntil(() => ask(target.port, variables).catch(() => false), Boolean, {
    what: `answer of ${target.service} on port ${String(target.port)}`,
    deadlineMs,
    intervalMs,
    signal,
  });
}

type Probe = (port: number, variables: ReadonlyMap<string, string>) => Promise<boolean>;

const http =
  (path: string): Probe =>
  async (port) => {
    const url = `http://127.0.0.1:${String(port)}${path}`;
    const { ok, body } = await fetch(url, { signal: AbortSignal.timeout(answerMs) });
    await body?.cancel();
    return ok;
  };

/** PgBouncer logs in clients of a server that is down: only a query tells. */
const query: Probe = async (port, variables) => {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: variables.get('POSTGRES_USER'),
    password: variables.get('POSTGRES_PASSWORD'),
    database: variables.get('POSTGRES_DB'),
    connectionTimeoutMillis: answerMs,
    query_timeout: answerMs,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } finally {
    // Of one that never connected nobody tells the end.
    client.end().catch(() => undefined);
  }
};

const ping: Probe = (port, variables) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: answerMs });
    let answer = '';
    socket.on('connect', () => {
      socket.write(`AUTH ${variables.get('REDIS_PASSWORD') ?? ''}\r\nPING\r\n`);
    });
    socket.on('data', (chunk) => {
      answer += chunk.toString();
      if (answer.includes('+PONG')) socket.end(() => resolve(true));
      else if (answer.includes('-')) socket.end(() => resolve(false));
    });
    socket.on('timeout', () => socket.destroy(new Error('no answer')));
    socket.on('close', () => resolve(false));
    socket.on('error', reject);
  });

const probes: Readonly<Record<ServiceName, Probe>> = {
  postgres: query,
  redis: ping,
  clickhouse: http('/ping'),
  pgbouncer: query,
  llm: http('/health'),
  auth: http('/health'),
  backend: http('/health'),
  frontend: http('/health'),
};
