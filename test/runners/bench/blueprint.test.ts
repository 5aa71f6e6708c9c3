import { describe, expect, test } from '@jest/globals';
import type Docker from 'dockerode';
import { blueprintOf, endpointsAt, orderOf } from '../../../bench/blueprint.js';
import { withoutPooler } from '../../../bench/pooler.js';
import { someBlueprint } from './support/blueprint.js';

describe('blueprint', () => {
  test('has what the engine says of a container', () => {
    const inspected = {
      Config: {
        Cmd: null,
        Env: ['PORT=8080'],
        User: '1000:1000',
        Hostname: 'backend',
        Healthcheck: { Test: ['CMD', 'check'], Interval: 1, Timeout: 2, Retries: 3, StartPeriod: 4 },
      },
      HostConfig: {
        Memory: 5,
        MemorySwap: 6,
        CpuShares: 8,
        PidsLimit: 7,
        ReadonlyRootfs: true,
        Tmpfs: { '/tmp': 'size=1m' },
        CapDrop: ['ALL'],
        SecurityOpt: null,
        LogConfig: { Type: 'json-file', Config: { 'max-file': '2' } },
        PortBindings: { '8080/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
      },
      Mounts: [{ Type: 'volume', Destination: '/data' }],
    } as unknown as Docker.ContainerInspectInfo;
    expect(blueprintOf(inspected, 'rehearsal/backend:1', ['redis'])).toEqual({
      image: 'rehearsal/backend:1',
      command: [],
      environment: ['PORT=8080'],
      user: '1000:1000',
      hostname: 'backend',
      memoryBytes: 5,
      memorySwapBytes: 6,
      cpuShares: 8,
      pidsLimit: 7,
      readOnly: true,
      tmpfs: { '/tmp': 'size=1m' },
      capDrop: ['ALL'],
      securityOptions: [],
      log: { driver: 'json-file', options: { 'max-file': '2' } },
      healthCheck: { Test: ['CMD', 'check'], Interval: 1, Timeout: 2, Retries: 3, StartPeriod: 4 },
      port: 8080,
      dataPath: '/data',
      after: ['redis'],
    });
  });

  test('takes the order from the dependencies between containers', () => {
    const container = (service: string, dependencies: string[]): object => ({
      type: 'docker:index/container:Container',
      urn: `urn:${service}`,
      dependencies,
      inputs: { labels: [{ label: 'rehearsal.service', value: service }] },
    });
    const resources = [
      { type: 'docker:index/network:Network', urn: 'urn:network', inputs: {} },
      container('postgres', ['urn:network']),
      container('auth', ['urn:network', 'urn:postgres', 'urn:redis']),
      container('redis', []),
    ];
    expect(orderOf(JSON.stringify({ deployment: { resources } }))).toEqual({
      postgres: [],
      auth: ['postgres', 'redis'],
      redis: [],
    });
  });

  test('is reached at other ports', () => {
    const ports = {
      ...{ postgres: 11, redis: 12, clickhouse: 13, pgbouncer: 14 },
      ...{ llm: 15, auth: 16, backend: 17, frontend: 18 },
    };
    const moved = endpointsAt(someBlueprint(), ports);
    expect(moved).toMatchObject({
      frontendUrl: 'http://127.0.0.1:18',
      backendWebSocketUrl: 'ws://127.0.0.1:17/ws',
      postgres: { port: 11, password: 'hush' },
      pgbouncer: { port: 14 },
      redis: { port: 12 },
      clickhouse: { url: 'http://127.0.0.1:13' },
    });
  });

  test('has services connect to PostgreSQL themselves without the pooler', () => {
    const url = 'DATABASE_URL=postgresql://rehearsal:hush@pgbouncer:6432/rehearsal';
    const direct = withoutPooler(someBlueprint({ auth: { environment: ['PORT=1', url] } }));
    expect(direct.services.auth.environment).toEqual([
      'PORT=1',
      'DATABASE_URL=postgresql://rehearsal:hush@postgres:5432/rehearsal',
    ]);
  });
});
