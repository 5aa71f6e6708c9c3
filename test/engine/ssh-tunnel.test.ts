import { existsSync, mkdtempSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { connectDocker } from '../../engine/docker.js';
import { compareClocks } from '../../engine/ssh/clock.js';
import type { TunnelError } from '../../engine/ssh/failure.js';
import { cancelForwards, forwardPort } from '../../engine/ssh/forwards.js';
import { dockerHostOfTunnel, folderOf, tunnelOfDockerHost, type SshTarget } from '../../engine/ssh/target.js';
import { closeTunnel, ensureTunnel, isConnected, reopenTunnel } from '../../engine/ssh/tunnel.js';
import { checkout } from '../../engine/state.js';
import { waitUntil } from '../../engine/wait.js';
import { startNamespaceHost, type NamespaceHost } from '../helpers/namespace-host.js';
import { restartSshd } from '../helpers/ssh-host.js';

const timeoutMs = 120_000;
/** Of one who has a key of the same kind. */
const anotherKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ78IzlJJmabi6A2r8c6l2xDpX5jOl4IQFtVwVZDmRPk';
const cacheBefore = process.env['REHEARSAL_CACHE'];
const cache = mkdtempSync(path.join(tmpdir(), 'ssh-'));

let host: NamespaceHost;
let target: SshTarget;
let folder: string;

beforeAll(async () => {
  process.env['REHEARSAL_CACHE'] = cache;
  host = await startNamespaceHost();
  const { address, port, user, hostKey, identityFile } = host;
  target = { address, port, user, hostKey, identityFile };
  folder = folderOf(target);
}, timeoutMs);

afterEach(async () => {
  await closeTunnel(folder);
});

afterAll(async () => {
  await host.dismiss();
  if (cacheBefore === undefined) delete process.env['REHEARSAL_CACHE'];
  else process.env['REHEARSAL_CACHE'] = cacheBefore;
  await rm(cache, { recursive: true });
}, timeoutMs);

const versionBehind = async (): Promise<string> =>
  (await connectDocker(dockerHostOfTunnel(folder)).version()).Version;

describe('the connection to a host', () => {
  test("leads to the host's Docker Engine, and is gone when it is closed", async () => {
    await ensureTunnel(folder, target);
    const { ID } = (await connectDocker(dockerHostOfTunnel(folder)).info()) as { ID: string };
    const direct = (await connectDocker(host.dockerHost()).info()) as { ID: string };
    expect(ID).toBe(direct.ID);
    await closeTunnel(folder);
    await expect(versionBehind()).rejects.toThrow();
    expect(await readdir(path.dirname(folder))).toEqual([]);
  });

  test('is one, however many open it at once', async () => {
    const open = `
      import { ensureTunnel } from './engine/ssh/tunnel.ts';
      await ensureTunnel(${JSON.stringify(folder)}, ${JSON.stringify(target)});`;
    const process = () =>
      execa('node', ['--import', 'tsx', '--input-type=module', '--eval', open], { cwd: checkout });
    await Promise.all([process(), process(), ensureTunnel(folder, target), ensureTunnel(folder, target)]);
    const [file = '', ...within] = host.within();
    const { stdout } = await execa(file, [...within, 'pgrep', '-c', '-u', '64001', 'sshd']);
    expect(stdout).toBe('1');
  });

  test('comes back by the address of its Docker Engine alone, with the ports that were forwarded', async () => {
    await ensureTunnel(folder, target);
    const local = await forwardPort(folder, 22);
    expect(await forwardPort(folder, 22)).toBe(local);
    await restartSshd(host, folder);
    await reopenTunnel(dockerHostOfTunnel(folder));
    expect(await versionBehind()).not.toBe('');
    expect(await forwardPort(folder, 22)).toBe(local);
  });

  test('takes another port for one that somebody has taken meanwhile', async () => {
    await ensureTunnel(folder, target);
    const local = await forwardPort(folder, 22);
    await restartSshd(host, folder);
    const taken = await listenOn(local);
    await reopenTunnel(dockerHostOfTunnel(folder));
    expect(await forwardPort(folder, 22)).not.toBe(local);
    taken.close();
  });

  test('forwards to the loopback of the host, until that is cancelled', async () => {
    await restartSshd(host, folder, ['ListenAddress 127.0.0.1:4711']);
    await ensureTunnel(folder, target);
    const local = await forwardPort(folder, 4711);
    expect(await firstWords(local)).toMatch(/^SSH-2.0-/);
    await cancelForwards(folder, [4711]);
    await expect(firstWords(local)).rejects.toThrow('ECONNREFUSED');
  });

  test("tells how far the host's clock is off, and how well that is known", async () => {
    await ensureTunnel(folder, target);
    const { aheadMs, uncertaintyMs } = await compareClocks(folder);
    // Both have the kernel's: whatever is found is off by no more than it says.
    expect(Math.abs(aheadMs)).toBeLessThanOrEqual(uncertaintyMs);
    expect(uncertaintyMs).toBeGreaterThan(0);
  });
});

describe('no connection', () => {
  const refused = async (changes: Partial<SshTarget>): Promise<TunnelError> => {
    const other = { ...target, ...changes };
    const own = folderOf(other);
    const error = await ensureTunnel(own, other).then(
      () => new Error('it was let in'),
      (reason: unknown) => reason as TunnelError,
    );
    expect(await isConnected(own)).toBe(false);
    await closeTunnel(own);
    // One sentence, with what to do.
    expect(error.message).not.toContain('\n');
    return error as TunnelError;
  };

  test.each([
    [
      'where nobody listens',
      { port: 2 },
      'refused',
      /port 2 refuses connections.*check rehearsal:host.address/,
    ],
    ['of no such name', { address: 'nowhere.invalid' }, 'unreachable', /no host of this name/],
    [
      'that shows another key',
      { hostKey: anotherKey },
      'host key',
      /shows the host key SHA256:\S+ \(ssh-ed25519\), pinned is SHA256:QjxVqFYscKRi3VwhmDivcRcLib7AQrF\+axWkfFnS\/0A/,
    ],
    ['for another user', { user: 'nonesuch' }, 'login', /lets nobody in as nonesuch with the key of/],
    [
      'for a user without Docker',
      { user: 'guest' },
      'no permission',
      /guest may not use \/var\/run\/docker.sock.*usermod -aG docker guest/,
    ],
    [
      'with a key that is not there',
      { identityFile: '/nonexistent' },
      'login',
      /identityFile \/nonexistent can't be read/,
    ],
    [
      'with a file that is no key',
      { identityFile: '/etc/passwd' },
      'login',
      /\/etc\/passwd can't be used as it is/,
    ],
  ])('to a host %s', async (_, changes, problem, message) => {
    const error = await refused(changes);
    expect(error.message).toMatch(message);
    expect(error.problem).toBe(problem);
  });

  test('without an agent, or a key in it', async () => {
    const before = process.env['SSH_AUTH_SOCK'];
    const { address, port, user, hostKey } = target;
    const other = { address, port, user, hostKey };
    const socket = path.join(cache, 'agent');
    process.env['SSH_AUTH_SOCK'] = socket;
    await expect(ensureTunnel(folder, other)).rejects.toThrow(
      /no agent answers: start one and "ssh-add" a key/,
    );
    const agent = execa('ssh-agent', ['-D', '-a', socket], { reject: false });
    await waitUntil(() => Promise.resolve(existsSync(socket)), Boolean, {
      ...{ what: 'the agent', deadlineMs: 10_000, intervalMs: 20 },
    });
    await expect(ensureTunnel(folder, other)).rejects.toThrow(/the agent has none: "ssh-add" one/);
    await execa('ssh-add', ['-q', host.identityFile]);
    await ensureTunnel(folder, other);
    expect(await versionBehind()).not.toBe('');
    agent.kill();
    await agent;
    if (before === undefined) delete process.env['SSH_AUTH_SOCK'];
    else process.env['SSH_AUTH_SOCK'] = before;
  });

  test('without OpenSSH', async () => {
    const before = process.env['PATH'];
    process.env['PATH'] = '/nonexistent';
    const { address, port, user, hostKey } = target;
    const failed = ensureTunnel(folder, { address, port, user, hostKey });
    await expect(failed).rejects.toThrow(/no "ssh" is on PATH: install the OpenSSH client/);
    process.env['PATH'] = before;
  });

  test('to a server that says nothing, within the deadline', async () => {
    const server = await listenOn(0);
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const other = { ...target, address: '127.0.0.1', port: address.port };
    const failed = ensureTunnel(folder, other, { deadlineMs: 1_000 });
    await expect(failed).rejects.toThrow(/: no connection within 1 s$/);
    server.close();
  });

  test('to a host whose Docker Engine has ended, and again when it is back', async () => {
    await ensureTunnel(folder, target);
    await host.killDaemon();
    await expect(ensureTunnel(folder, target)).rejects.toThrow(
      /its Docker Engine does not answer: start it there/,
    );
    await host.startDaemon();
    await ensureTunnel(folder, target);
    expect(await versionBehind()).not.toBe('');
  });

  test('to a host without Docker', async () => {
    const [file = '', ...within] = host.within();
    await host.killDaemon();
    await execa(file, [...within, 'rm', '/run/docker.sock']);
    expect((await refused({})).message).toMatch(/has no Docker Engine at \/var\/run\/docker.sock: install/);
    await host.startDaemon();
  });

  test('to a host whose sshd forbids forwarding', async () => {
    await restartSshd(host, folder, ['DisableForwarding yes']);
    const { message, problem } = await refused({});
    expect(message).toMatch(/answers there, but not from here: its sshd has to allow forwarding/);
    expect(problem).toBe('forwarding');
    await restartSshd(host, folder);
  });

  test('where the path of a socket would be too long', async () => {
    process.env['REHEARSAL_CACHE'] = path.join(cache, 'a'.repeat(60));
    const failed = ensureTunnel(folderOf(target), target);
    process.env['REHEARSAL_CACHE'] = cache;
    await expect(failed).rejects.toThrow(/choose a shorter REHEARSAL_CACHE/);
  });
});

test('an address of a Docker Engine is known as that of a connection by its place alone', async () => {
  expect(tunnelOfDockerHost(dockerHostOfTunnel(folder))).toBe(folder);
  for (const other of ['unix:///var/run/docker.sock', 'tcp://host:2375', `unix://${cache}/docker.sock`]) {
    expect(tunnelOfDockerHost(other)).toBeUndefined();
    // There is nothing to open.
    await reopenTunnel(other);
  }
  await expect(reopenTunnel(dockerHostOfTunnel(folder))).rejects.toThrow(/does not say which host/);
});

async function listenOn(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function firstWords(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return chunk.toString();
}
