import type { Blueprint, ServiceBlueprint } from '../../../../bench/blueprint.js';
import { serviceNames } from '../../../../components/services.js';

const login = { host: '127.0.0.1', user: 'rehearsal', password: 'hush', database: 'rehearsal' };

const service: ServiceBlueprint = {
  image: 'rehearsal/any:1',
  command: [],
  environment: ['TOKEN=pa$$word'],
  user: '1000:1000',
  hostname: 'any',
  memoryBytes: 64 * 1024 * 1024,
  memorySwapBytes: 64 * 1024 * 1024,
  cpuShares: 512,
  pidsLimit: 256,
  readOnly: true,
  tmpfs: {},
  capDrop: ['ALL'],
  securityOptions: ['no-new-privileges:true'],
  log: { driver: 'json-file', options: { 'max-size': '10m' } },
  healthCheck: {
    Test: ['CMD', '/usr/local/bin/healthcheck'],
    Interval: 10_000_000_000,
    Timeout: 2_500_000_000,
    Retries: 30,
    StartPeriod: 120_000_000_000,
  },
  port: 8080,
  after: [],
};

/** An environment as the engine might have it. */
export function someBlueprint(changes: Partial<Record<string, Partial<ServiceBlueprint>>> = {}): Blueprint {
  const services = serviceNames.map((name) => [name, { ...service, ...changes[name] }]);
  return {
    services: Object.fromEntries(services) as Blueprint['services'],
    endpoints: {
      frontendUrl: 'http://127.0.0.1:1',
      authUrl: 'http://127.0.0.1:2',
      backendUrl: 'http://127.0.0.1:3',
      backendWebSocketUrl: 'ws://127.0.0.1:3/ws',
      llmUrl: 'http://127.0.0.1:4',
      postgres: { ...login, port: 5 },
      pgbouncer: { ...login, port: 6 },
      redis: { host: '127.0.0.1', port: 7, password: 'hush' },
      clickhouse: { url: 'http://127.0.0.1:8', user: 'rehearsal', password: 'hush', database: 'rehearsal' },
    },
  };
}
