import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { runningDaemon, startDaemon, stopDaemon, type DaemonPlace } from '../../engine/daemon.js';
import { connectDocker } from '../../engine/docker.js';
import { findOnPath, isRoot } from '../../engine/machine.js';

let folder: string;
let place: DaemonPlace;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-daemon-'));
  const inFolder = (name: string): string => path.join(folder, name);
  place = {
    folder,
    host: `unix://${inFolder('docker.sock')}`,
    dockerdArguments: [
      ...[
        '--data-root',
        inFolder('data'),
        '--exec-root',
        inFolder('exec'),
        '--pidfile',
        inFolder('dockerd.pid'),
      ],
      ...['--bridge=none', '--iptables=false', '--ip-forward=false'],
    ],
  };
});
afterEach(async () => {
  await stopDaemon(folder);
  await rm(folder, { recursive: true });
});

// Only root can run a daemon; elsewhere the set-up refuses to (docker-engine.test.ts).
if (isRoot() && findOnPath('dockerd') !== undefined) {
  describe('a Docker daemon of the set-up', () => {
    const { PATH } = process.env;
    beforeEach(async () => {
      // In a network namespace of its own: a second daemon would remove the bridge of the machine's.
      const wrapper = `#!/bin/sh\nexec unshare --net ${String(findOnPath('dockerd'))} "$@"\n`;
      await mkdir(path.join(folder, 'bin'));
      await writeFile(path.join(folder, 'bin', 'dockerd'), wrapper, { mode: 0o755 });
      process.env.PATH = `${path.join(folder, 'bin')}:${String(PATH)}`;
    });
    afterEach(() => {
      process.env.PATH = PATH;
    });

    test('answers, is known again, and is stopped', async () => {
      await startDaemon(place);
      const docker = connectDocker(place.host);
      const { DockerRootDir } = (await docker.info()) as { DockerRootDir: string };
      expect(DockerRootDir).toBe(path.join(folder, 'data'));

      const record = await runningDaemon(folder);
      expect(record?.host).toBe(place.host);
      expect(await stopDaemon(folder)).toBe(record?.pid);
      await expect(docker.ping()).rejects.toThrow();
      expect(await runningDaemon(folder)).toBeUndefined();
      expect(await stopDaemon(folder)).toBeUndefined();
    }, 120_000);

    test('that ends at once is reported with the end of its log', async () => {
      const broken = {
        ...place,
        dockerdArguments: [...place.dockerdArguments, '--none-such'],
      };
      await expect(startDaemon(broken)).rejects.toThrow(/could not be started[^]*none-such/);
      expect(await runningDaemon(folder)).toBeUndefined();
    }, 120_000);
  });
}

describe('stopping', () => {
  test('leaves a process alone that only has the same id', async () => {
    const other = spawn('sleep', ['60'], { stdio: 'ignore' });
    await once(other, 'spawn');
    const record = path.join(folder, 'dockerd.json');
    await writeFile(record, JSON.stringify({ pid: other.pid, startTime: '1', host: place.host }));
    expect(await stopDaemon(folder)).toBeUndefined();
    expect(existsSync(record)).toBe(false);
    expect(other.exitCode).toBeNull();
    expect(await readFile(`/proc/${String(other.pid)}/comm`, 'utf8')).toBe('sleep\n');
    other.kill();
    await once(other, 'exit');
  });

  test('takes half a record for none', async () => {
    await writeFile(path.join(folder, 'dockerd.json'), '{"pid": 1, "sta');
    expect(await stopDaemon(folder)).toBeUndefined();
  });
});
