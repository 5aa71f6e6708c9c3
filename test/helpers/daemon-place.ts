import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DaemonPlace } from '../../engine/daemon.js';

/** For a Docker daemon besides the machine's own: it shares no folder and no rule of the network with that one. */
export async function ownDaemonPlace(): Promise<DaemonPlace> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-daemon-'));
  const inFolder = (name: string): string => path.join(folder, name);
  return {
    folder,
    host: `unix://${inFolder('docker.sock')}`,
    dockerdArguments: [
      `--data-root=${inFolder('data')}`,
      `--exec-root=${inFolder('exec')}`,
      `--pidfile=${inFolder('dockerd.pid')}`,
      '--iptables=false',
      '--ip-forward=false',
    ],
  };
}
