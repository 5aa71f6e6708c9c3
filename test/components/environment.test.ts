import * as pulumi from '@pulumi/pulumi';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parseConfig, resolveEnvironment } from '../../components/config.js';
import type { TestEnvironment } from '../../components/environment.js';
import { outputsSchema } from '../../components/outputs.js';
import { serviceNames } from '../../components/services.js';

const expiresAt = '2026-01-02T03:04:05.000Z';
const values = {
  postgresPassword: 'pg-secret',
  redisPassword: 'redis-secret',
  clickhousePassword: 'ch-secret',
  tokenSecret: 'token-secret',
  expiresAt,
};

interface Registered {
  type: string;
  name: string;
  inputs: Record<string, unknown>;
}

const registered: Registered[] = [];
let environment: TestEnvironment;
let outputs: unknown;

const promiseOf = <T>(output: pulumi.Output<T>): Promise<T> =>
  new Promise((resolve) => {
    output.apply(resolve);
  });

beforeAll(async () => {
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, id }) => {
        registered.push({ type, name, inputs: inputs as Record<string, unknown> });
        const state = inputs as Record<string, unknown>;
        switch (type) {
          case 'pulumi-nodejs:dynamic:Resource':
            return { id: 'values', state: { ...state, ...values } };
          case 'docker:index/remoteImage:RemoteImage':
            return { id: `id-${name}`, state: { ...state, imageId: `sha256:${name}` } };
          case 'docker:index/container:Container':
            return {
              id: `id-${name}`,
              state: {
                ...state,
                name: `${name}-1`,
                ports: [{ internal: 1, external: 40000, ip: '127.0.0.1' }],
              },
            };
          default:
            return { id: id ?? `id-${name}`, state: { ...state, name: `${name}-1` } };
        }
      },
      call: ({ token }) => {
        throw new Error(`unexpected invoke ${token}`);
      },
    },
    'rehearsal',
    'test',
    // A preview: nothing to wait for, there are no containers.
    true,
  );
  const { TestEnvironment } = await import('../../components/environment.js');
  environment = new TestEnvironment('environment', {
    spec: resolveEnvironment(parseConfig({ 'rehearsal:profile': 'standard' }, 'the test'), 'the test'),
    host: {
      dockerHost: 'unix:///var/run/docker.sock',
      subnet: '10.213.0.32/27',
      reach: (port) => Promise.resolve(port),
      outputs: { kind: 'local' },
    },
    labels: { run: 'r1', suite: 's1', branch: 'main', owner: 'ci', stack: 'test' },
    ttlMinutes: 60,
    mayStart: Promise.resolve(),
  });
  outputs = await promiseOf(pulumi.output(environment.outputs) as pulumi.Output<unknown>);
  await promiseOf(environment.urn);
});

const inputsOf = (type: string, name: string): Record<string, unknown> => {
  const found = registered.filter((resource) => resource.type === type && resource.name === name);
  expect(found).toHaveLength(1);
  return found[0]?.inputs ?? {};
};
const container = (name: string) => inputsOf('docker:index/container:Container', name);

describe('a standard environment', () => {
  test('is exactly these resources', () => {
    const count = (type: string) => registered.filter((resource) => resource.type === type).length;
    expect(count('docker:index/container:Container')).toBe(8);
    expect(count('docker:index/remoteImage:RemoteImage')).toBe(8);
    expect(count('docker:index/network:Network')).toBe(1);
    expect(count('docker:index/volume:Volume')).toBe(3);
    expect(count('pulumi-nodejs:dynamic:Resource')).toBe(1);
    expect(count('pulumi:providers:docker')).toBe(1);
  });

  test.each(serviceNames)('%s has hard limits, a health check and no privileges', (name) => {
    const inputs = container(name);
    expect(inputs.memory).toBe(inputs.memorySwap);
    expect(inputs).toMatchObject({
      image: `sha256:${name}-image`,
      restart: 'no',
      mustRun: false,
      wait: false,
      readOnly: true,
      capabilities: { drops: ['ALL'] },
      securityOpts: ['no-new-privileges:true'],
      logDriver: 'json-file',
      logOpts: { 'max-size': '10m', 'max-file': '2' },
      ports: [{ ip: '127.0.0.1' }],
      networksAdvanced: [{ name: 'environment-network-1', aliases: [name] }],
      healthcheck: { tests: ['CMD', '/usr/local/bin/healthcheck'] },
    });
    expect(inputs.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(inputs).not.toHaveProperty('networkMode');
  });

  test('labels every container, volume and the network', () => {
    const expected = {
      'rehearsal.run': 'r1',
      'rehearsal.suite': 's1',
      'rehearsal.branch': 'main',
      'rehearsal.owner': 'ci',
      'rehearsal.stack': 'test',
      'rehearsal.expires-at': expiresAt,
    };
    const labelled = registered.filter(({ inputs }) => Array.isArray(inputs.labels));
    expect(labelled).toHaveLength(12);
    for (const { inputs } of labelled) {
      const labels = inputs.labels as { label: string; value: string }[];
      expect(Object.fromEntries(labels.map(({ label, value }) => [label, value]))).toMatchObject(expected);
    }
  });

  test('gives the services that keep data a named volume', () => {
    expect(container('postgres').volumes).toEqual([
      { volumeName: 'postgres-data-1', containerPath: '/var/lib/postgresql/data' },
    ]);
    expect(container('redis').volumes).toEqual([{ volumeName: 'redis-data-1', containerPath: '/data' }]);
    expect(container('clickhouse').volumes).toEqual([
      { volumeName: 'clickhouse-data-1', containerPath: '/var/lib/clickhouse' },
    ]);
    expect(container('backend').volumes).toEqual([]);
  });

  test("carries the profile's settings", () => {
    expect(container('postgres').command).toEqual(expect.arrayContaining(['shared_buffers=256MB']));
    expect(container('redis').envs).toContain('REDIS_MAXMEMORY_MB=512');
    expect(container('backend').envs).toContain('WEB_CONCURRENCY=4');
    expect(container('clickhouse').healthcheck).toMatchObject({
      interval: '20s',
      timeout: '15s',
      retries: 45,
      startPeriod: '3m0s',
    });
  });

  test('has a small subnet of its own', () => {
    expect(inputsOf('docker:index/network:Network', 'environment-network').ipamConfigs).toEqual([
      { subnet: '10.213.0.32/27' },
    ]);
  });

  test('has passwords in environments only', () => {
    // That the engine keeps those encrypted is tested with the real engine: mocks know no secrets.
    for (const { type, inputs } of registered) {
      const visible = type === 'docker:index/container:Container' ? { ...inputs, envs: undefined } : inputs;
      expect(JSON.stringify(visible)).not.toMatch(/pg-secret|redis-secret|ch-secret|token-secret/);
    }
    expect(container('postgres').envs).toContain('POSTGRES_PASSWORD=pg-secret');
  });

  test('has outputs of their schema, the endpoints among them secret', async () => {
    expect(outputsSchema.parse(outputs).services.backend.port).toBe(40000);
    expect(await pulumi.isSecret(pulumi.output(environment.outputs.endpoints))).toBe(true);
  });
});
