import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { runningDaemon, stopDaemon, type DaemonPlace } from '../../engine/daemon.js';
import { connectDocker } from '../../engine/docker.js';
import { findOnPath, isRoot } from '../../engine/machine.js';
import { ownDaemonPlace } from '../helpers/daemon-place.js';

let folder: string;
let place: DaemonPlace;

beforeEach(async () => {
  place = await ownDaemonPlace();
  ({ folder } = place);
});
afterEach(async () => {
  await stopDaemon(folder);
  await rm(folder, { recursive: true });
});

/**
 * Starts the daemon from a process of its own, in a network namespace of its own: in the machine's, a second
 * daemon would take the first one's bridge away.
 */
const start = () => {
  const script = `
    import { startDaemon } from './engine/daemon.ts';
    try {
      await startDaemon(${JSON.stringify(place)});
    } catch (error) {
      console.error(error.message);
      process.exitCode = 1;
    }`;
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', script];
  return execa('unshare', ['--net', ...node], { reject: false, env: { GOGC: undefined } });
};

// Only root can run a daemon; elsewhere the set-up refuses to (docker-engine.test.ts).
if (isRoot() && findOnPath('dockerd') !== undefined) {
  describe('a Docker daemon of the set-up', () => {
    test('outlives the process that started it, is known again, and is stopped', async () => {
      expect(await start()).toMatchObject({ exitCode: 0, stderr: '' });
      const docker = connectDocker(place.host);
      const { DockerRootDir } = (await docker.info()) as { DockerRootDir: string };
      expect(DockerRootDir).toBe(path.join(folder, 'data'));

      const record = await runningDaemon(folder);
      expect(record?.host).toBe(place.host);
      const environment = await readFile(`/proc/${String(record?.pid)}/environ`, 'utf8');
      expect(environment.split('\0')).toContain('GOGC=400');
      expect(await stopDaemon(folder)).toBe(record?.pid);
      await expect(docker.ping()).rejects.toThrow();
      expect(await runningDaemon(folder)).toBeUndefined();
      expect(await stopDaemon(folder)).toBeUndefined();
    }, 120_000);

    test('that ends at once is reported with the end of its log', async () => {
      place.dockerdArguments.push('--none-such');
      const { exitCode, stderr } = await start();
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/could not be started[^]*none-such/);
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
