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

async function failingUp(settings: Parameters<ProviderStack['tryUp']>[0]): Promise<string> {
  const { failed, output } = await stack.tryUp(settings);
  expect(failed).toBe(true);
  return output;
}

describe('what goes wrong', () => {
  test('a container that cannot start leaves nothing behind, and its secrets out of the error', async () => {
    const secret = 'correct-horse-battery';
    const output = await failingUp({
      container: { entrypoints: [`/missing/${secret}`] },
      secretEnvs: [`PASSWORD=${secret}`],
    });
    expect(output).toMatch(/container web-[0-9a-f]{7} can't be started: .*no such file or directory/);
    expect(output).not.toContain(secret);
    expect(await stack.containers()).toEqual([]);
    expect(await stack.resources()).not.toHaveProperty('Container');
  });

  test('a port that is taken', async () => {
    await stack.up();
    const taken = (await stack.container()).NetworkSettings.Ports['8080/tcp']?.[0]?.HostPort;
    const other = await openStack(machine);
    const { failed, output } = await other.tryUp({
      container: { ports: [{ internal: 80, external: Number(taken), ip: '127.0.0.1' }] },
    });
    expect(failed).toBe(true);
    expect(output).toContain(`127.0.0.1:${String(taken)} failed: port is already allocated`);
    expect(await other.containers()).toEqual([]);
    await other.close();
  });

  test('names that are taken', async () => {
    const names = { container: { name: `${stack.label}-web` }, network: { name: `${stack.label}-net` } };
    await stack.up(names);
    const other = await openStack(machine);
    const { output: networkOutput } = await other.tryUp({ network: names.network });
    expect(networkOutput).toContain(
      `network ${stack.label}-net can't be created: network with name ${stack.label}-net already exists`,
    );
    const { output: containerOutput } = await other.tryUp({ container: names.container });
    expect(containerOutput).toContain(`container ${stack.label}-web can't be created: Conflict.`);
    await other.close();
  });

  test('an image that does not exist', async () => {
    const output = await failingUp({ image: 'rehearsal-test/missing:1' });
    expect(output).toContain(
      'image rehearsal-test/missing:1 is not on the Docker Engine, and pulling it failed',
    );
  });

  test('a Docker Engine that does not answer', async () => {
    const output = await failingUp({ host: 'unix:///nowhere/docker.sock' });
    expect(output).toContain('no Docker Engine answers at unix:///nowhere/docker.sock');
    expect(output).toContain('start it, or set DOCKER_HOST');
  });

  test('everything wrong with a container is said at once, before anything is made of it', async () => {
    const output = await failingUp({
      container: {
        privileged: true,
        gpus: 'all',
        memory: -1,
        restart: 'sometimes',
        ports: [{ internal: '80' }],
      },
    });
    expect(output).toContain("docker:index/container:Container resource 'web' has a problem");
    expect(output).toContain('does not support gpus, privileged');
    expect(output).toContain('memory must be at least 0, not -1');
    expect(output).toContain(
      'restart must be one of no, on-failure, always, unless-stopped, not "sometimes"',
    );
    expect(output).toContain('ports[0].internal must be a whole number, not a string');
  });

  test('a container that is waited for and becomes unhealthy', async () => {
    const output = await failingUp({
      container: {
        wait: true,
        healthcheck: { tests: ['CMD-SHELL', 'echo no pulse; false'], interval: '200ms', retries: 1 },
      },
    });
    expect(output).toContain('its health check failed (no pulse)');
    expect(await stack.containers()).toEqual([]);
  });

  test('a container that is waited for and ends', async () => {
    const output = await failingUp({
      container: {
        wait: true,
        command: ['echo out of luck; exit 3'],
        healthcheck: { tests: ['CMD', 'true'], interval: '10s' },
      },
    });
    expect(output).toContain('it ended with exit code 3');
    expect(output).toContain('out of luck');
    expect(await stack.containers()).toEqual([]);
  });

  test('a change that the engine can not make is told', async () => {
    await stack.up();
    const { Id } = await stack.container();
    const output = await stack.up({ container: { tmpfs: { '/tmp': 'size=1m' } } });
    expect(output).toMatch(/tmpfs can't change while it exists/);
    expect((await stack.container()).Id).toBe(Id);
  });
});
