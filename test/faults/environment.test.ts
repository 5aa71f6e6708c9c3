import { expect, test } from '@jest/globals';
import pg from 'pg';
import type { Endpoints } from '../../components/outputs.js';
import type { ServiceName } from '../../components/services.js';
import { waitUntil } from '../../engine/wait.js';
import { cutOff, pause, portOf, type Restore } from './support/container-faults.js';
import { faultTimeoutMs, provideEnvironment, type FaultEnvironment } from './support/environment.js';

/** Services that stop answering, as a suite sees them without the runner's watch. */
const environment = provideEnvironment();

interface Pair {
  service: ServiceName;
  fault: 'paused' | 'cut off';
  suite: string;
  message: RegExp;
}

const inject = { paused: pause, 'cut off': cutOff };

const pairs: Pair[] = [
  {
    service: 'redis',
    fault: 'paused',
    suite: 'websocket-agent-events',
    message: /out of order: .*redis unavailable/,
  },
  {
    service: 'postgres',
    fault: 'paused',
    suite: 'write-review-refine',
    message: /out of order: .*postgres unavailable.*postgres: a write: /,
  },
  {
    service: 'llm',
    fault: 'paused',
    suite: 'agent-orchestration-llm',
    message: /out of order: .*llm unavailable.*llm: GET \/health: /,
  },
  {
    service: 'clickhouse',
    fault: 'paused',
    suite: 'websocket-events-comprehensive',
    message: /out of order: .*clickhouse unavailable.*clickhouse: a write: /,
  },
  {
    service: 'frontend',
    fault: 'cut off',
    suite: 'agent-message-flow',
    message: /out of order: frontend: GET \/health: /,
  },
  {
    service: 'redis',
    fault: 'cut off',
    suite: 'write-review-refine',
    message: /out of order: .*redis unavailable/,
  },
  {
    service: 'backend',
    fault: 'cut off',
    suite: 'websocket-agent-events',
    message: /out of order: backend: GET \/health: /,
  },
];

/** A port is another one each time that its service is put back on its network. */
async function endpointsOf({ docker, outputs, endpoints }: FaultEnvironment): Promise<Endpoints> {
  const addressOf = async (service: ServiceName): Promise<string> =>
    `127.0.0.1:${String(await portOf(docker, outputs.services[service].containerId))}`;
  const backend = await addressOf('backend');
  return {
    ...endpoints,
    frontendUrl: `http://${await addressOf('frontend')}`,
    backendUrl: `http://${backend}`,
    backendWebSocketUrl: `ws://${backend}/ws`,
  };
}

async function untilHealthy(): Promise<void> {
  const { backendUrl, authUrl, frontendUrl } = await endpointsOf(environment());
  const isHealthy = (url: string): Promise<boolean> =>
    fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  await waitUntil(
    () => Promise.all([backendUrl, authUrl, frontendUrl].map(isHealthy)),
    (healthy) => healthy.every(Boolean),
    { what: 'a healthy environment', deadlineMs: 60_000, intervalMs: 200 },
  );
}

test.each(pairs)(
  '$suite fails when $service is $fault, and names it',
  async ({ service, fault, suite, message }) => {
    const { docker, outputs } = environment();
    const endpoints = await endpointsOf(environment());
    let restore: Restore | undefined;
    try {
      restore = await inject[fault](docker, outputs, service);
      const { outcome, failures } = await environment().runSuite(suite, endpoints);
      expect({ outcome, failures }).toMatchObject({ outcome: { kind: 'failed' } });
      expect(failures.join('\n')).toMatch(message);
    } finally {
      await restore?.();
      await untilHealthy();
    }
  },
  faultTimeoutMs,
);

test(
  'a suite whose PostgreSQL is paused in mid-suite ends all the same, and names it',
  async () => {
    const { docker, outputs } = environment();
    const endpoints = await endpointsOf(environment());
    const runsBefore = await runCount(endpoints);
    let restore: Restore | undefined;
    try {
      const pauseInMidSuite = async (): Promise<void> => {
        await waitUntil(
          () => runCount(endpoints),
          (count) => count > runsBefore,
          { what: 'a run of the suite', deadlineMs: 60_000, intervalMs: 50 },
        );
        restore = await pause(docker, outputs, 'postgres');
      };
      const suite = environment().runSuite('agent-orchestration-llm', endpoints);
      const [{ outcome, failures }] = await Promise.all([suite, pauseInMidSuite()]);
      expect({ outcome, failures }).toMatchObject({ outcome: { kind: 'failed' } });
      expect(failures.join('\n')).toMatch(/out of order: .*postgres unavailable/);
    } finally {
      await restore?.();
      await untilHealthy();
    }
  },
  faultTimeoutMs,
);

/** Runs of agents that have ended, of all suites so far. */
async function runCount({ postgres }: Endpoints): Promise<number> {
  const client = new pg.Client(postgres);
  await client.connect();
  try {
    const ended = "SELECT count(*)::int AS count FROM app.runs WHERE status = 'completed'";
    const { rows } = await client.query<{ count: number }>(ended);
    return rows[0]?.count ?? 0;
  } finally {
    await client.end();
  }
}
