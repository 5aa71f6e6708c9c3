/** The services of an environment, in the order in which tables list them. */
export const serviceNames = [
  'postgres',
  'redis',
  'clickhouse',
  'pgbouncer',
  'llm',
  'auth',
  'backend',
  'frontend',
] as const;
export type ServiceName = (typeof serviceNames)[number];

export const profileNames = ['standard', 'incident', 'small'] as const;
export type ProfileName = (typeof profileNames)[number];

export interface HealthCheckTiming {
  intervalSeconds: number;
  timeoutSeconds: number;
  retries: number;
  startPeriodSeconds: number;
}

interface ServiceDefaults {
  memoryMb: number;
  healthCheck: HealthCheckTiming;
}

export interface Profile {
  budgetMb: number;
  services: Record<ServiceName, ServiceDefaults>;
  sharedBuffersMb: number;
  maxmemoryMb: number;
  workers: number;
}

const timing = (
  intervalSeconds: number,
  timeoutSeconds: number,
  retries: number,
  startPeriodSeconds: number,
): HealthCheckTiming => ({ intervalSeconds, timeoutSeconds, retries, startPeriodSeconds });

/** The timings after the incident: every profile but `incident` has them. */
const tolerant = {
  store: timing(10, 10, 30, 120),
  clickhouse: timing(20, 15, 45, 180),
  backend: timing(15, 15, 45, 150),
};
/** The timings at the time of the incident: too short for a loaded machine. */
const hasty = {
  store: timing(5, 3, 10, 30),
  clickhouse: timing(15, 5, 15, 90),
  backend: timing(15, 5, 15, 60),
  web: timing(10, 5, 10, 60),
};

function servicesOf(
  memoryMb: Record<ServiceName, number>,
  checks: {
    store: HealthCheckTiming;
    clickhouse: HealthCheckTiming;
    backend: HealthCheckTiming;
    web: HealthCheckTiming;
  },
): Record<ServiceName, ServiceDefaults> {
  const of = (name: ServiceName, healthCheck: HealthCheckTiming): ServiceDefaults => ({
    memoryMb: memoryMb[name],
    healthCheck,
  });
  return {
    postgres: of('postgres', checks.store),
    redis: of('redis', checks.store),
    clickhouse: of('clickhouse', checks.clickhouse),
    pgbouncer: of('pgbouncer', checks.store),
    llm: of('llm', checks.web),
    auth: of('auth', checks.web),
    backend: of('backend', checks.backend),
    frontend: of('frontend', checks.web),
  };
}

/** The figures of the incident's report, before (`incident`) and after (`standard`), and one for laptops. */
export const profiles: Readonly<Record<ProfileName, Profile>> = {
  standard: {
    budgetMb: 14336,
    sharedBuffersMb: 256,
    maxmemoryMb: 512,
    workers: 4,
    services: servicesOf(
      {
        postgres: 2048,
        redis: 1024,
        clickhouse: 2048,
        pgbouncer: 128,
        llm: 256,
        auth: 3072,
        backend: 4096,
        frontend: 1024,
      },
      { ...tolerant, web: tolerant.store },
    ),
  },
  incident: {
    budgetMb: 7680,
    sharedBuffersMb: 128,
    maxmemoryMb: 200,
    workers: 2,
    services: servicesOf(
      {
        postgres: 1024,
        redis: 512,
        clickhouse: 1024,
        pgbouncer: 128,
        llm: 256,
        auth: 2048,
        backend: 2048,
        frontend: 512,
      },
      hasty,
    ),
  },
  small: {
    budgetMb: 1792,
    sharedBuffersMb: 32,
    maxmemoryMb: 48,
    workers: 2,
    services: servicesOf(
      {
        postgres: 256,
        redis: 96,
        clickhouse: 384,
        pgbouncer: 48,
        llm: 128,
        auth: 192,
        backend: 512,
        frontend: 96,
      },
      { ...tolerant, web: tolerant.store },
    ),
  },
};

/**
 * The least memory with which each service comes up, in MiB: started under ever smaller limits on Engine 20.10
 * until it failed, rounded up.
 */
export const leastMemoryMb: Readonly<Record<ServiceName, number>> = {
  postgres: 32,
  redis: 16,
  clickhouse: 64,
  pgbouncer: 16,
  llm: 48,
  auth: 96,
  backend: 96,
  frontend: 16,
};
/** What each of the backend's workers needs besides. */
export const leastWorkerMb = 32;
