import type { RunRecord, SuiteRecord } from '../../../runners/report/record.js';
import { judgeRun } from '../../../runners/verdict.js';

const serviceLimits = {
  postgres: 256,
  redis: 96,
  clickhouse: 384,
  pgbouncer: 48,
  llm: 128,
  auth: 192,
  backend: 512,
  frontend: 96,
};

const servicePeaks: Extract<SuiteRecord['memory'], { measured: true }>['value']['services'] = {
  ...Object.fromEntries(
    Object.entries(serviceLimits).map(([service, limitMb]) => [service, { limitMb, peakMb: 40 }]),
  ),
  backend: {
    ...{ limitMb: 512, baselineMb: 120, peakMb: 200 },
    ...{ kernelPeakMb: 260, oomKills: 0, countedAt: '2026-01-02T03:04:50.000Z' },
  },
};

/** A suite about which everything was measured and holds. */
export function suiteRecord(changes: Partial<SuiteRecord> = {}): SuiteRecord {
  return {
    name: 'chat',
    category: 'critical',
    stack: 'main-abc-chat',
    timeoutMs: 60_000,
    outcome: { kind: 'passed' },
    preparedAhead: false,
    durations: {
      ...{ memoryWaitMs: 100, createMs: 300, upMs: 4_000, turnWaitMs: 200, suiteMs: 9_000, destroyMs: 800 },
      totalMs: 14_500,
    },
    tests: [{ name: 'answers', status: 'passed', durationMs: 120 }],
    measuresDelivery: true,
    latency: { measured: true, value: { count: 500, users: 10, p50Ms: 3, p99Ms: 20, maxMs: 31 } },
    memory: {
      measured: true,
      value: {
        sampleCount: 80,
        peakMb: 600,
        gaps: [],
        services: servicePeaks,
        host: { totalMb: 24_000, leastAvailableMb: 9_000, oomKills: 0 },
      },
    },
    clock: { measured: true, value: { engineAheadMs: -1.4, setByMs: 0 } },
    crashes: { measured: true, value: [] },
    lastLines: [],
    destruction: { kind: 'destroyed' },
    problems: [],
    folder: 'chat',
    ...changes,
  };
}

export function runRecord(suites: SuiteRecord[], changes: Partial<RunRecord> = {}): RunRecord {
  const known = {
    suites,
    users: 10,
    chosen: suites.map(({ name }) => name),
    notChosen: [],
    environment: {
      profile: 'small' as const,
      budgetMb: 1792,
      limitMb: 1712,
      services: serviceLimits,
      llm: 'stand-in' as const,
    },
  };
  const record = {
    version: 2 as const,
    runId: 'tabc123xyz',
    startedAt: '2026-01-02T03:04:05.000Z',
    endedAt: '2026-01-02T03:05:05.000Z',
    branch: 'main',
    owner: 'somebody',
    interrupted: false,
    jobs: 1,
    mostAtOnce: 1,
    host: {
      engineVersion: '20.10.24',
      operatingSystem: 'Debian GNU/Linux 12 (bookworm)',
      kernel: '6.1',
      cgroupVersion: '1',
      cpus: 2,
      memoryMb: 24_000,
      node: '20.20.2',
    },
    runner: { peakRssMb: 120 },
    diagnosis: [],
    recommended: [],
    ...known,
    ...changes,
  };
  return { ...record, verdict: judgeRun(record) };
}
