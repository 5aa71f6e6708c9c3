import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { adoptDaemon } from '../../engine/daemon.js';
import { daemonFolder } from '../../engine/docker-engine.js';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';

let cache: string;

const doctor = (args: string[] = [], env: Record<string, string> = {}) =>
  execa(process.execPath, ['engine/bootstrap.mjs', 'doctor', ...args], {
    env: { REHEARSAL_CACHE: cache, ...env },
    reject: false,
  });
/** State of each piece as the table shows it. */
const states = ({ stdout }: { stdout: string }): Record<string, string> =>
  Object.fromEntries(
    [...stdout.matchAll(/^│ (\S.*?) +│ (\S.*?) +│/gm)].map(([, piece = '', state = '']) => [piece, state]),
  );

beforeEach(async () => {
  cache = path.join(await mkdtemp(path.join(tmpdir(), 'rehearsal-doctor-')), 'cache');
});
afterEach(async () => {
  await rm(path.dirname(cache), { recursive: true });
});

describe('doctor', () => {
  test('names the Docker Engine that keeps a run from starting, exits non-zero, and changes nothing', async () => {
    const result = await doctor([], { DOCKER_HOST: 'unix:///nowhere.sock' });
    expect(result.exitCode).toBe(1);
    expect(states(result)).toMatchObject({ 'Docker Engine': 'impossible', 'service images': 'impossible' });
    expect(result.stdout).toContain("A run can't start: Docker Engine, service images");
    expect(existsSync(cache)).toBe(false);
  }, 60_000);

  test('names the Docker Engine that is too old, and asks it for nothing else', async () => {
    const asked: string[] = [];
    const old = createServer(({ url = '' }, response) => {
      asked.push(url);
      response.end(JSON.stringify({ Version: '18.09.1', ApiVersion: '1.39' }));
    });
    await once(old.listen(0, '127.0.0.1'), 'listening');
    try {
      const { port } = old.address() as AddressInfo;
      const result = await doctor([], { DOCKER_HOST: `tcp://127.0.0.1:${String(port)}` });
      expect(result.exitCode).toBe(1);
      expect(states(result)).toMatchObject({ 'Docker Engine': 'impossible', 'service images': 'impossible' });
      expect(result.stdout).toContain('Docker Engine 18.09.1 is too old');
      expect(asked).toEqual(['/version']);
    } finally {
      old.closeAllConnections();
      old.close();
    }
  }, 60_000);

  test('knows that an engine of another machine will not do', async () => {
    const result = await doctor([], { DOCKER_HOST: 'tcp://192.0.2.7:2375' });
    expect(result.exitCode).toBe(1);
    expect(states(result)).toMatchObject({ 'Docker Engine': 'impossible', 'service images': 'impossible' });
    expect(result.stdout).toContain('192.0.2.7:2375 is on another machine');
  }, 60_000);

  test('does not trust a damaged piece', async () => {
    const folder = path.join(cache, 'pulumi-3.259.0');
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, 'pulumi'), '#!/bin/sh\nexit 139\n');
    await chmod(path.join(folder, 'pulumi'), 0o755);
    // Without the folders of the user's own tools, so that an installed CLI doesn't stand in.
    const result = await doctor([], { PATH: '/usr/bin:/bin' });
    expect(states(result)['Pulumi CLI']).not.toBe('ready');
  }, 60_000);

  test('stops no daemon that it did not start', async () => {
    const result = await doctor(['--stop']);
    expect(result).toMatchObject({
      exitCode: 0,
      stdout: 'No Docker daemon runs that a set-up of this user started.',
    });
    await connectDocker(resolveDockerHost()).ping();
  }, 60_000);

  test('stops no daemon under what it runs', async () => {
    const daemon = spawn('sleep', ['600'], { stdio: 'ignore' });
    const containers = [
      { Id: 'a'.repeat(64), Names: ['/redis-1a'] },
      { Id: 'b'.repeat(64), Names: [] },
    ];
    const api = createServer((_, response) => response.end(JSON.stringify(containers)));
    await once(api.listen(0, '127.0.0.1'), 'listening');
    try {
      const host = `tcp://127.0.0.1:${String((api.address() as AddressInfo).port)}`;
      await adoptDaemon(daemonFolder(cache), host, daemon.pid ?? 0);

      expect(await doctor(['--stop'])).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining(
          `Docker daemon ${String(daemon.pid)} was not stopped: it still runs redis-1a, bbbbbbbbbbbb, which`,
        ),
      });
      expect(daemon.exitCode).toBeNull();

      containers.length = 0;
      expect(await doctor(['--stop'])).toMatchObject({
        exitCode: 0,
        stdout: `Docker daemon ${String(daemon.pid)} has ended.`,
      });
    } finally {
      daemon.kill();
      api.closeAllConnections();
      api.close();
    }
  }, 60_000);

  test('refuses arguments that it does not know', async () => {
    expect(await doctor(['--stopp'])).toMatchObject({
      exitCode: 1,
      stderr: 'doctor takes --stop or nothing, not "--stopp"',
    });
  }, 60_000);
});
