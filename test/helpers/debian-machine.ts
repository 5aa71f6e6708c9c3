import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { cacheFolder } from '../../engine/cache.js';
import { underLock } from '../../engine/lock.js';
import { findOnPath, installPackages, makeDebian } from '../../engine/machine.js';
import { waitUntil } from '../../engine/wait.js';
import { isAlive } from './alive.js';
import { removeCgroups } from './cgroups.js';

/** A Debian that has booted once with a user data document, in namespaces of its own and without a network. */
export interface DebianMachine {
  /** Its root, as seen from here. */
  root: string;
  /** Runs a command in it, as root. */
  run(command: string, ...args: string[]): Promise<string>;
  /** Ends everything in it and removes it. */
  dismiss(): Promise<void>;
}

interface BootOptions {
  userData: string;
  /** What the cloud tells of the key pair. */
  publicKey: string;
}

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** @throws Error for anybody but root, and without mmdebstrap and apt. */
export async function bootDebian({ userData, publicKey }: BootOptions): Promise<DebianMachine> {
  const archive = await ensureArchive();
  const folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-debian-'));
  const root = path.join(folder, 'root');
  let init: ChildProcess | undefined;
  const dismiss = async (): Promise<void> => {
    if (init?.exitCode === null && init.signalCode === null) {
      const first = await firstProcessOf(init);
      const ended = once(init, 'exit');
      init.kill('SIGKILL');
      await ended;
      // It goes with its parent, but later, and all others and all mounts with it.
      await waitUntil(
        () => isAlive(first),
        (alive) => !alive,
        { what: 'the end of the machine', deadlineMs: 20_000, intervalMs: 20 },
      );
    }
    await removeCgroups(path.basename(folder));
    await rm(folder, { recursive: true, maxRetries: 5 });
  };
  try {
    await mkdir(root);
    await execa('tar', ['--extract', '--numeric-owner', '--xattrs', '-f', archive, '-C', root]);
    await writeSeed(root, userData, publicKey, path.basename(folder));
    init = spawn(
      'unshare',
      [
        ...['--mount', '--net', '--pid', '--uts', '--ipc', '--fork', '--kill-child'],
        ...['sh', script('first-boot.sh'), root],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const said = init.stdout;
    if (said === null) throw new Error('no output');
    await Promise.race([
      once(said, 'data'),
      once(init, 'exit').then(() => Promise.reject(new Error('the machine ended while it booted'))),
    ]);
    const pid = await firstProcessOf(init);
    const within = ['--target', String(pid), '--mount', '--net', '--pid', '--uts', '--ipc'];
    return {
      root,
      async run(command, ...args) {
        const { stdout } = await execa('nsenter', [...within, 'chroot', root, command, ...args], {
          env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LANG: 'C.UTF-8' },
          extendEnv: false,
        });
        return stdout;
      },
      dismiss,
    };
  } catch (error) {
    await dismiss();
    throw error;
  }
}

/** Of the namespaces that `unshare` has made. */
async function firstProcessOf(unshare: ChildProcess): Promise<number> {
  const pid = String(unshare.pid);
  const child = Number(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8'));
  if (!(child > 0)) throw new Error(`process ${pid} has not exactly one child`);
  return child;
}

async function writeSeed(root: string, userData: string, publicKey: string, name: string): Promise<void> {
  const seed = path.join(root, 'var/lib/cloud/seed/nocloud');
  await mkdir(seed, { recursive: true });
  const metaData = {
    'instance-id': 'i-0123456789abcdef0',
    'local-hostname': 'host',
    'public-keys': [publicKey],
  };
  await writeFile(path.join(seed, 'meta-data'), JSON.stringify(metaData));
  await writeFile(path.join(seed, 'user-data'), userData);
  const here = {
    datasource_list: ['NoCloud'],
    // There are neither a network nor disks to set up, and packages come from the root itself.
    network: { config: 'disabled' },
    apt_preserve_sources_list: true,
    growpart: { mode: 'off' },
    resize_rootfs: false,
  };
  await writeFile(path.join(root, 'etc/cloud/cloud.cfg.d/99-test.cfg'), JSON.stringify(here));
  await writeFile(path.join(root, 'usr/sbin/policy-rc.d'), startsDocker, { mode: 0o755 });
  await mkdir(path.join(root, 'etc/docker'));
  // Its containers' groups can be told from those of this machine's own engine.
  await writeFile(path.join(root, 'etc/docker/daemon.json'), JSON.stringify({ 'cgroup-parent': `/${name}` }));
}

/**
 * In systemd's place: what a package asks to have its service started. Docker's own init script wants limits raised, for
 * which root in a container hasn't always the right; systemd's unit starts the same daemon.
 */
const startsDocker = `#!/bin/sh
# In parentheses where no runlevel is known, as here.
case "$1 $2" in
'docker start' | 'docker (start)') setsid dockerd >/var/log/docker.log 2>&1 </dev/null & ;;
esac
# Forbidden: whoever asked is content with that.
exit 101
`;

/** Takes a minute the first time. */
async function ensureArchive(): Promise<string> {
  const recipe = await readFile(script('debian-root.sh'));
  const digest = createHash('sha256').update(recipe).digest('hex').slice(0, 12);
  const folder = path.join(cacheFolder(), 'debian-machine');
  const archive = path.join(folder, `${digest}.tar`);
  await underLock({ folder, name: 'archive' }, async () => {
    if (existsSync(archive)) return;
    if (findOnPath('mmdebstrap') === undefined) {
      await installPackages(['mmdebstrap', 'debian-archive-keyring']);
    }
    const draft = `${archive}.part`;
    await makeDebian(script('debian-root.sh'), draft);
    await rename(draft, archive);
  });
  return archive;
}
