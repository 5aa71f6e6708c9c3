import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { openMachine, openStack, type Machine, type ProviderStack } from './support/stack.js';

jest.setTimeout(180_000);

let machine: Machine;
let stack: ProviderStack;

beforeAll(async () => {
  machine = await openMachine();
}, 1_200_000);

beforeEach(async () => {
  stack = await openStack(machine);
});

afterEach(async () => {
  await stack.close();
  expect(await stack.leftovers()).toEqual([]);
});

const mebibyte = 1024 * 1024;

describe('the embedded provider, driven by Pulumi', () => {
  test('creates what the program says, after a preview that knows nothing of it yet', async () => {
    const settings = {
      network: { ipamConfigs: [{ subnet: '10.213.7.0/28' }] },
      container: {
        envs: ['B=2', 'A=1'],
        memoryReservation: 16,
        cpuShares: 512,
        readOnly: true,
        tmpfs: { '/run/test': 'size=1m' },
        capabilities: { drops: ['ALL'] },
        securityOpts: ['no-new-privileges'],
        logDriver: 'json-file',
        logOpts: { 'max-size': '1m', 'max-file': '2' },
        healthcheck: {
          tests: ['CMD', 'true'],
          interval: '10s',
          timeout: '2s',
          retries: 3,
          startPeriod: '1m30s',
        },
        ulimits: [{ name: 'nofile', soft: 512, hard: 1024 }],
        stopSignal: 'SIGINT',
        stopTimeout: 3,
        init: true,
      },
    };
    expect(await stack.preview(settings)).toContain('5 to create');
    expect(await stack.leftovers()).toEqual([]);
    await stack.up(settings);

    const { Config, HostConfig, NetworkSettings, State } = await stack.container();
    expect(State.Running).toBe(true);
    expect(Config).toMatchObject({
      Env: expect.arrayContaining(['A=1', 'B=2']),
      Cmd: ['sleep 600'],
      StopSignal: 'SIGINT',
      StopTimeout: 3,
      Healthcheck: { Test: ['CMD', 'true'], Interval: 10e9, Timeout: 2e9, StartPeriod: 90e9, Retries: 3 },
    });
    expect(HostConfig).toMatchObject({
      Memory: 32 * mebibyte,
      MemorySwap: 32 * mebibyte,
      MemoryReservation: 16 * mebibyte,
      CpuShares: 512,
      ReadonlyRootfs: true,
      Tmpfs: { '/run/test': 'size=1m' },
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } },
      Ulimits: [{ Name: 'nofile', Soft: 512, Hard: 1024 }],
      RestartPolicy: { Name: 'no' },
      Init: true,
    });
    const [network, ...others] = Object.values(NetworkSettings.Networks);
    expect(others).toEqual([]);
    expect(network).toMatchObject({ IPAddress: '10.213.7.2', Aliases: expect.arrayContaining(['web']) });
    const { Container, Volume } = await stack.resources();
    const [published] = NetworkSettings.Ports['8080/tcp'] ?? [];
    expect(Container?.outputs.ports).toEqual([
      { external: Number(published?.HostPort), internal: 8080, ip: '127.0.0.1', protocol: 'tcp' },
    ]);
    expect(HostConfig.Binds).toEqual([`${String(Volume?.outputs.name)}:/data:rw`]);
    expect(Volume?.outputs.name).toMatch(/^data-[0-9a-f]{7}$/);

    await stack.previewNoChanges(settings);
    await stack.refresh();
    await stack.previewNoChanges(settings);
  });

  test('changes limits in place', async () => {
    await stack.up();
    const before = await stack.container();
    await stack.up({ container: { memory: 48, memorySwap: 48, restart: 'on-failure', maxRetryCount: 2 } });
    const after = await stack.container();
    expect(after.Id).toBe(before.Id);
    expect(after.State.StartedAt).toBe(before.State.StartedAt);
    expect(after.HostConfig).toMatchObject({
      Memory: 48 * mebibyte,
      MemorySwap: 48 * mebibyte,
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 },
    });
  });

  test('replaces a container whose environment changes, and keeps its network and volume', async () => {
    await stack.up({ container: { envs: ['A=1'] } });
    const before = await stack.resources();
    await stack.up({ container: { envs: ['A=2'] } });
    const after = await stack.resources();
    expect(after.Container?.id).not.toBe(before.Container?.id);
    expect(after.Network?.id).toBe(before.Network?.id);
    expect(after.Volume?.id).toBe(before.Volume?.id);
    expect((await stack.containers()).map(({ Id }) => Id)).toEqual([after.Container?.id]);
  });

  test('replaces a network together with the container on it', async () => {
    await stack.up({ container: { name: `${stack.label}-fixed` }, network: { name: `${stack.label}-net` } });
    const before = await stack.resources();
    await stack.up({
      container: { name: `${stack.label}-fixed` },
      network: { name: `${stack.label}-net`, internal: true },
    });
    const after = await stack.resources();
    expect(after.Network?.id).not.toBe(before.Network?.id);
    expect(after.Network?.outputs.internal).toBe(true);
    expect(after.Container?.id).not.toBe(before.Container?.id);
  });

  test('finds out by refresh that somebody removed the container, and makes it anew', async () => {
    await stack.up();
    const { Id: removed } = await stack.container();
    await machine.docker.getContainer(removed).remove({ force: true });
    await stack.refresh();
    expect(await stack.resources()).not.toHaveProperty('Container');
    await stack.up();
    expect((await stack.container()).Id).not.toBe(removed);
  });

  test('finds out by refresh that somebody changed a limit, and changes it back', async () => {
    await stack.up();
    const { Id } = await stack.container();
    await machine.docker.getContainer(Id).update({ Memory: 64 * mebibyte, MemorySwap: 64 * mebibyte });
    await stack.refresh();
    expect((await stack.resources()).Container?.outputs.memory).toBe(64);
    await stack.up();
    const { HostConfig } = await stack.container();
    expect(HostConfig.Memory).toBe(32 * mebibyte);
  });

  test('starts a container again that must run and does not', async () => {
    // With ports it would be replaced, as by the official provider: a stopped container publishes none.
    const settings = { container: { mustRun: true, ports: [] } };
    await stack.up(settings);
    const { Id } = await stack.container();
    await machine.docker.getContainer(Id).kill();
    await stack.refresh();
    await stack.up(settings);
    const { Id: same, State } = await stack.container();
    expect(same).toBe(Id);
    expect(State.Running).toBe(true);
  });

  test('destroys what is gone already', async () => {
    await stack.up();
    const { Container, Network, Volume } = await stack.resources();
    await machine.docker.getContainer(Container?.id ?? '').remove({ force: true });
    await machine.docker.getNetwork(Network?.id ?? '').remove();
    await machine.docker.getVolume(Volume?.id ?? '').remove();
    await stack.destroy();
    expect(await stack.resources()).toEqual({});
  });

  test('keeps a secret of the environment encrypted in the state and out of the output', async () => {
    const secret = 'correct-horse-battery';
    const output = await stack.up({ secretEnvs: [`PASSWORD=${secret}`] });
    const { Config } = await stack.container();
    expect(Config.Env).toContain(`PASSWORD=${secret}`);
    expect(output).not.toContain(secret);
    const state = await stack.stateText();
    expect(state).toContain('"ciphertext"');
    expect(state).not.toContain(secret);
  });
});
