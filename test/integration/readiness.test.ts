import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type Docker from 'dockerode';
import { waitForService, type Readiness } from '../../components/readiness.js';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { imageReference } from '../../images/manifest.js';
import { heldBack, release } from '../helpers/containers.js';

let docker: Docker;
const started: Docker.Container[] = [];

beforeAll(() => {
  docker = connectDocker(resolveDockerHost());
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((container) => container.remove({ force: true, v: true })));
});

/** A container of an image with a shell that runs `script`. */
async function start(script: string, options: Docker.ContainerCreateOptions = {}): Promise<Docker.Container> {
  const container = await docker.createContainer({
    Image: imageReference('redis'),
    Entrypoint: ['sh', '-c', script],
    Labels: { 'rehearsal.test': 'readiness' },
    ...options,
  });
  started.push(container);
  await container.start();
  return container;
}

const wait = (container: Docker.Container, readiness: Readiness, deadlineSeconds = 60): Promise<void> =>
  waitForService({
    docker,
    containerId: container.id,
    service: 'shop',
    readiness,
    deadlineSeconds,
    secretVariables: ['SHOP_PIN'],
    reach: (port) => Promise.resolve(port),
  });

const never: Readiness = { kind: 'exec', command: ['false'] };

describe('waitForService', () => {
  test('returns once the command inside succeeds', async () => {
    const container = await start('sleep 0.3; touch /tmp/ready; exec sleep 60');
    await wait(container, { kind: 'exec', command: ['test', '-e', '/tmp/ready'] });
    const { State } = await container.inspect();
    expect(State.Running).toBe(true);
  });

  test('ends when the container exits, with its code and its last words', async () => {
    const container = await start('sleep 0.3; echo no disk left; exit 3');
    await expect(wait(container, never)).rejects.toThrow(
      /shop is not ready: its container exited with code 3\n.*no disk left/s,
    );
  });

  test('quotes no password of the container', async () => {
    const script = 'echo "refused: $SHOP_PASSWORD, $SHOP_PIN, $SHOP_PLACE"; exit 3';
    const container = await start(script, {
      Env: ['SHOP_PASSWORD=hush-hush', 'SHOP_PIN=pin-of-the-shop', 'SHOP_PLACE=main-street'],
    });
    await expect(wait(container, never)).rejects.toThrow('refused: [redacted], [redacted], main-street');
  });

  test('ends when the container had exited before', async () => {
    const container = await start('echo gone at once; exit 4');
    await container.wait();
    await expect(wait(container, never)).rejects.toThrow(/exited with code 4\n.*gone at once/s);
  });

  test('ends when the container is removed', async () => {
    const container = await start('exec sleep 60');
    const waiting = wait(container, never);
    const ended = expect(waiting).rejects.toThrow(/its container was removed/);
    await container.remove({ force: true, v: true });
    started.splice(0);
    await ended;
  });

  test('ends when the health check has failed for good', async () => {
    const second = 1_000_000_000;
    const container = await start('exec sleep 60', {
      Healthcheck: {
        Test: ['CMD', 'sh', '-c', 'echo sick; exit 1'],
        Interval: second,
        Timeout: 30 * second,
        Retries: 1,
      },
    });
    await expect(wait(container, never)).rejects.toThrow(/its health check failed \d+ times: sick/);
  });

  test('names an OOM kill', async () => {
    const container = await start(heldBack('exec tail /dev/zero'), {
      HostConfig: { Memory: 32 * 1024 * 1024, MemorySwap: 32 * 1024 * 1024 },
    });
    const ended = expect(wait(container, never)).rejects.toThrow(/its container was OOM-killed/);
    await release(container);
    await ended;
  });

  test('gives up at the deadline and leaves no loop behind in the container', async () => {
    const container = await start('exec sleep 60');
    await expect(wait(container, never, 1)).rejects.toThrow(/"false" did not succeed within 1 s/);
    const { Processes } = (await container.top()) as { Processes: string[][] };
    expect(Processes).toHaveLength(1);
  });

  test('gives up at the deadline of an HTTP service that never answers', async () => {
    const container = await start('exec sleep 60', {
      ExposedPorts: { '8080/tcp': {} },
      HostConfig: { PortBindings: { '8080/tcp': [{ HostIp: '127.0.0.1' }] } },
    });
    await expect(wait(container, { kind: 'http', internalPort: 8080, path: '/health' }, 1)).rejects.toThrow(
      /GET \/health on port 8080: not reached within 1 s/,
    );
  });

  test('says when the image has no such probe', async () => {
    const container = await start('exec sleep 60');
    await expect(wait(container, { kind: 'exec', command: ['/no/such/probe'] }, 600)).rejects.toThrow(
      /"\/no\/such\/probe" is not found in the image/,
    );
  });
});
