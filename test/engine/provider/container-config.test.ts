import { describe, expect, test } from '@jest/globals';
import { createOptions, updateOptions } from '../../../engine/provider/container-config.js';
import { containerInputs } from '../../../engine/provider/container-inputs.js';
import { checkInputs } from '../../../engine/provider/check.js';
import { wording } from '../../../engine/provider/config.js';
import { typed } from '../../../engine/provider/schema.js';
import type { Values } from '../../../engine/provider/values.js';

const mebibyte = 1024 * 1024;

/** Inputs as the engine hands them over: checked, with defaults. */
function inputs(news: Values) {
  const checked = checkInputs(containerInputs, { name: 'web', image: 'redis', ...news }, wording);
  expect(checked.problems).toEqual([]);
  return typed(containerInputs, checked.inputs);
}

describe('the request for a new container', () => {
  test('has sizes in bytes, and no limit where none is set', () => {
    const sized = { memory: 64, memoryReservation: 32, memorySwap: 128, shmSize: 16, cpus: '0.5' };
    expect(createOptions(inputs(sized)).HostConfig).toMatchObject({
      Memory: 64 * mebibyte,
      MemoryReservation: 32 * mebibyte,
      MemorySwap: 128 * mebibyte,
      ShmSize: 16 * mebibyte,
      NanoCpus: 0.5e9,
    });
    expect(createOptions(inputs({})).HostConfig).toMatchObject({
      Memory: 0,
      MemorySwap: 0,
      ShmSize: undefined,
    });
  });

  test('leaves unlimited swap unlimited', () => {
    expect(createOptions(inputs({ memorySwap: -1 })).HostConfig?.MemorySwap).toBe(-1);
  });

  test('publishes ports, and lets the engine choose the host’s where none is given', () => {
    const ports = [
      { internal: 80, ip: '127.0.0.1' },
      { internal: 80, external: 8080 },
      { internal: 53, protocol: 'udp' },
    ];
    const { ExposedPorts, HostConfig } = createOptions(inputs({ ports }));
    expect(ExposedPorts).toEqual({ '80/tcp': {}, '53/udp': {} });
    expect(HostConfig?.PortBindings).toEqual({
      '80/tcp': [
        { HostIp: '127.0.0.1', HostPort: '0' },
        { HostIp: '0.0.0.0', HostPort: '8080' },
      ],
      '53/udp': [{ HostIp: '0.0.0.0', HostPort: '0' }],
    });
  });

  test('mounts volumes by name or host path, and declares anonymous ones', () => {
    const volumes = [
      { containerPath: '/data', volumeName: 'data', readOnly: true },
      { containerPath: '/host', hostPath: '/srv' },
      { containerPath: '/anonymous' },
    ];
    const { Volumes, HostConfig } = createOptions(inputs({ volumes }));
    expect(Volumes).toEqual({ '/data': {}, '/host': {}, '/anonymous': {} });
    expect(HostConfig?.Binds).toEqual(['data:/data:ro', '/srv:/host:rw']);
  });

  test('names capabilities in their long form', () => {
    const capabilities = { adds: ['net_admin', 'CAP_CHOWN'], drops: ['ALL'] };
    expect(createOptions(inputs({ capabilities })).HostConfig).toMatchObject({
      CapAdd: ['CAP_NET_ADMIN', 'CAP_CHOWN'],
      CapDrop: ['ALL'],
    });
  });

  test('has the health check in nanoseconds, without the field that engines before 25 refuse', () => {
    const healthcheck = {
      tests: ['CMD', 'true'],
      interval: '10s',
      timeout: '1.5s',
      startPeriod: '2m0s',
      retries: 3,
    };
    expect(createOptions(inputs({ healthcheck })).Healthcheck).toEqual({
      Test: ['CMD', 'true'],
      Interval: 10e9,
      Timeout: 1.5e9,
      StartPeriod: 120e9,
      Retries: 3,
    });
    expect(createOptions(inputs({ healthcheck: { startInterval: '1s' } })).Healthcheck).toMatchObject({
      StartInterval: 1e9,
    });
  });

  test('leaves the image’s own settings alone where nothing is set', () => {
    const { Cmd, Entrypoint, User, WorkingDir, Healthcheck } = createOptions(
      inputs({ command: [], entrypoints: [] }),
    );
    expect([Cmd, Entrypoint, User, WorkingDir, Healthcheck]).toEqual(Array(5).fill(undefined));
  });
});

test('the request for changes in place has the limits and the restart policy only', () => {
  const changed = {
    memory: 64,
    memorySwap: 64,
    cpuShares: 5,
    cpuSet: '0',
    restart: 'on-failure',
    maxRetryCount: 2,
  };
  expect(updateOptions(inputs({ ...changed, envs: ['A=1'] }))).toEqual({
    Memory: 64 * mebibyte,
    MemoryReservation: 0,
    MemorySwap: 64 * mebibyte,
    CpuShares: 5,
    CpusetCpus: '0',
    RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 },
  });
});
