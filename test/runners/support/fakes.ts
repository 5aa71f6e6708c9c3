import path from 'node:path';
import { parseConfig, resolveEnvironment } from '../../../components/config.js';
import { serviceNames } from '../../../components/services.js';
import type { Outputs } from '../../../components/outputs.js';
import type { ContainerEngine, ContainerReport } from '../../../runners/docker.js';
import type { EventWatch } from '../../../runners/event-watch.js';
import type { ContainerEvent } from '../../../runners/oom.js';
import type { LeaseBook } from '../../../runners/lease-book.js';
import type { Plan } from '../../../runners/plan.js';
import type { SuiteRecord } from '../../../runners/report/record.js';
import type { Room } from '../../../runners/room.js';
import type { Stack, StackEngine, StackRequest } from '../../../runners/stack.js';
import type { SuiteRun, SuiteRunner } from '../../../runners/suite-runner.js';
import type { Suite } from '../../../runners/suites.js';
import { temporaryFolder } from '../../helpers/temporary.js';

export const suiteNamed = (name: string): Suite => ({
  name,
  category: 'critical',
  command: ['true'],
  timeoutMs: 60_000,
  measuresDelivery: true,
});

export const runId = 'tabc123xyz';

export function planFor(suites: string[], changes: Partial<Plan> = {}): Plan {
  const config = { 'rehearsal:profile': 'small' };
  return {
    runId,
    folder: temporaryFolder('run'),
    labels: { branch: 'main', owner: 'somebody' },
    settings: { source: 'a test', config, encryption: { encryptionsalt: 'v1:salt' } },
    environment: resolveEnvironment(parseConfig(config, 'a test'), 'a test'),
    llm: 'stand-in',
    suites: suites.map(suiteNamed),
    notChosen: [],
    keepOnFailure: false,
    together: false,
    jobs: 1,
    ttlMinutes: 240,
    users: 10,
    ...changes,
  };
}

export const password = 'a-planted-password';
const login = { host: '127.0.0.1', port: 1, user: 'u', password, database: 'd' };

export const outputs: Outputs = {
  profile: 'small',
  budgetMb: 1792,
  memoryMb: 1712,
  host: { kind: 'local' },
  network: 'net',
  services: Object.fromEntries(
    serviceNames.map((name) => [
      name,
      {
        containerId: `${name}-id`,
        containerName: name,
        image: 'i',
        imageId: 'sha256:1',
        memoryMb: 100,
        port: 1,
      },
    ]),
  ) as Outputs['services'],
  llm: { kind: 'stand-in', baseUrl: 'http://llm', model: 'stand-in' },
  expiresAt: '2026-01-01T00:00:00Z',
  endpoints: {
    frontendUrl: 'http://127.0.0.1:1',
    authUrl: 'http://127.0.0.1:1',
    backendUrl: 'http://127.0.0.1:1',
    backendWebSocketUrl: 'ws://127.0.0.1:1/ws',
    llmUrl: 'http://127.0.0.1:1',
    postgres: login,
    pgbouncer: login,
    redis: { host: '127.0.0.1', port: 1, password },
    clickhouse: { url: 'http://127.0.0.1:1', user: 'u', password, database: 'd' },
  },
};

export const passedRun: SuiteRun = {
  status: { kind: 'exited', exitCode: 0 },
  durationMs: 1,
  logTail: '',
  problems: [],
  tests: { measured: true, value: [{ name: 'works', status: 'passed', durationMs: 1 }] },
  latency: { measured: true, value: { count: 500, users: 10, p50Ms: 1, p99Ms: 1, maxMs: 1 } },
  wroteLatencies: true,
};

export const failedRun: SuiteRun = {
  ...passedRun,
  status: { kind: 'exited', exitCode: 1 },
  tests: {
    measured: true,
    value: [{ name: 'works', status: 'failed', durationMs: 1, failure: 'it does not' }],
  },
};

/** The calls that were made, in order, as `up chat`. */
export type Calls = string[];

export const keptUntil = '2026-01-01T04:00:00Z';

export function fakeLeases(calls: Calls = []): LeaseBook {
  const suites = new Map<string, string>();
  return {
    take(stack, suite) {
      suites.set(stack, suite);
      calls.push(`lease ${suite}`);
      return Promise.resolve();
    },
    occupy: () => Promise.resolve(),
    vacate: () => Promise.resolve(),
    keep: () => Promise.resolve(keptUntil),
    giveBack(stack) {
      calls.push(`no lease ${suites.get(stack) ?? ''}`);
      return Promise.resolve();
    },
  };
}

/** Of a host with memory for everything. */
export const endlessRoom: Room = {
  enter: (_stack, _memoryMb, take) => take(),
  lookAgain: () => undefined,
};

export function fakeStacks(
  calls: Calls,
  changes: Partial<Stack> = {},
): StackEngine & { requests: StackRequest[] } {
  const requests: StackRequest[] = [];
  return {
    requests,
    create(request) {
      requests.push(request);
      const suite = path.basename(request.folder);
      calls.push(`create ${suite}`);
      const operations: Pick<Stack, 'up' | 'destroy'> = {
        up: () => Promise.resolve(outputs),
        destroy: () => Promise.resolve(),
        ...changes,
      };
      return Promise.resolve({
        destroyCommand: `destroy ${request.name}`,
        holders: () => changes.holders?.() ?? Promise.resolve([]),
        async up(control) {
          await control.mayStart;
          calls.push(`up ${suite}`);
          return operations.up(control);
        },
        destroy(control) {
          calls.push(`destroy ${suite}`);
          return operations.destroy(control);
        },
      });
    },
  };
}

const wellMeasured: SuiteRecord['memory'] = {
  measured: true,
  value: {
    sampleCount: 16,
    peakMb: 500,
    gaps: [],
    services: Object.fromEntries(serviceNames.map((name) => [name, { limitMb: 100, peakMb: 60 }])),
  },
};
const oneClock: SuiteRecord['clock'] = { measured: true, value: { engineAheadMs: -1, setByMs: 0 } };

function reportOf(service: string): ContainerReport {
  const inspect = { Config: { Env: [`PASSWORD=${password}`] } } as ContainerReport['inspect'];
  return {
    state: { service, running: true, oomKilled: false, exitCode: 0 },
    inspect,
    readLog: (read) => read([[`${service} was told ${password}`]]),
  };
}

/** A watch that sees what it is told, and ends the suite when it is told so. */
export function fakeWatch(
  events: ContainerEvent[] = [],
  fault: AbortSignal = new AbortController().signal,
): EventWatch {
  return {
    fault,
    onEvent(listener) {
      for (const event of events) listener(event);
    },
    settled: () => Promise.resolve(),
    stop: () => Promise.resolve({ events, seen: [...serviceNames] }),
  };
}

export function fakeEngine(changes: Partial<ContainerEngine> = {}): ContainerEngine {
  return {
    host: () =>
      Promise.resolve({
        engineVersion: '1',
        operatingSystem: 'os',
        kernel: 'k',
        cgroupVersion: '1',
        cpus: 2,
        memoryMb: 24_000,
      }),
    watchEvents: () => Promise.resolve(fakeWatch()),
    sampleMemory: () =>
      Promise.resolve({ stop: () => Promise.resolve({ memory: wellMeasured, clock: oneClock }) }),
    reports: () => Promise.resolve(serviceNames.map(reportOf)),
    leftovers: () => Promise.resolve([]),
    kill: () => Promise.resolve(),
    limitsByStack: () => Promise.resolve(new Map()),
    everything: () => Promise.resolve([]),
    remove: () => Promise.resolve(),
    ...changes,
  };
}

export function fakeSuites(
  calls: Calls,
  run: SuiteRunner['run'] = () => Promise.resolve(passedRun),
): SuiteRunner {
  return {
    run(request) {
      calls.push(`suite ${request.suite.name}`);
      return run(request);
    },
  };
}
