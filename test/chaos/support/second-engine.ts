import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { execa } from 'execa';
import { runningDaemon, stopDaemon } from '../../../engine/daemon.js';
import { isRoot } from '../../../engine/machine.js';
import { checkout } from '../../../engine/state.js';
import { waitUntil } from '../../../engine/wait.js';
import { ownDaemonPlace } from '../../helpers/daemon-place.js';

/** A Docker Engine that only a test uses: what befalls it befalls nobody else. */
export interface SecondEngine {
  dockerHost: string;
  /** Takes a command as its last arguments and becomes it, where the containers' ports can be reached. */
  within: readonly string[];
  start(): Promise<void>;
  /** As a restart by the system does it. */
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** Ends it and removes all that it has. */
  dismiss(): Promise<void>;
}

const wait = { deadlineMs: 30_000, intervalMs: 20 };

/**
 * Makes the engine, without any image, in a network namespace of its own: in the machine's, a second daemon would
 * take the first one's bridge away.
 * @throws Error for anybody but root.
 */
export async function newEngine(): Promise<SecondEngine> {
  if (!isRoot()) throw new Error('only root can start a second Docker daemon');
  // Between the services, and to their ports by the engine's own proxy, there is a way without rules.
  const place = await ownDaemonPlace();
  const { folder } = place;
  const script = 'ip link set lo up && echo up && exec sleep infinity';
  const namespace = spawn('unshare', ['--net', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(namespace.stdout, 'data');
  const within = ['nsenter', `--net=/proc/${String(namespace.pid)}/ns/net`];
  const [enter = '', ...entering] = within;

  const start = async (): Promise<void> => {
    const source = `
      import { startDaemon } from './engine/daemon.ts';
      await startDaemon(${JSON.stringify(place)});`;
    const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', source];
    await execa(enter, [...entering, ...node], { cwd: checkout });
  };
  const stop = async (): Promise<void> => {
    await stopDaemon(folder);
  };
  return {
    dockerHost: place.host,
    within,
    start,
    stop,
    async kill() {
      const daemon = await runningDaemon(folder);
      if (daemon === undefined) throw new Error('there is no daemon to kill');
      process.kill(daemon.pid, 'SIGKILL');
      await waitUntil(
        () => runningDaemon(folder),
        (found) => found === undefined,
        {
          ...wait,
          what: 'the end of the daemon',
        },
      );
    },
    async dismiss() {
      await stop();
      namespace.kill();
      for (const mount of await mountsIn(folder)) await execa('umount', [mount]);
      await rm(folder, { recursive: true });
    },
  };
}

/** The innermost first. */
async function mountsIn(folder: string): Promise<string[]> {
  const lines = (await readFile('/proc/self/mounts', 'utf8')).trimEnd().split('\n');
  const places = lines.map((line) => line.split(' ')[1] ?? '');
  return places.filter((place) => place.startsWith(`${folder}/`)).reverse();
}

/** Copies images from one engine to another. */
export async function copyImages(
  references: readonly string[],
  fromHost: string,
  toHost: string,
): Promise<void> {
  await execa('docker', ['--host', fromHost, 'save', ...references], { buffer: false }).pipe('docker', [
    '--host',
    toHost,
    'load',
  ]);
}
