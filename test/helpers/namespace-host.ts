import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { connectDocker } from '../../engine/docker.js';
import { findOnPath, installPackages } from '../../engine/machine.js';
import { waitUntil } from '../../engine/wait.js';
import { removeCgroups } from './cgroups.js';
import { linkTo } from './namespace-link.js';

export interface NamespaceHostOptions {
  /** What it takes for its memory; this machine's by default. */
  memoryMb?: number;
  /** A private key in OpenSSH's format, as text; a new one by default. */
  hostPrivateKey?: string;
  /** The public key, as one line, whose owner may log in; that of `identityFile` by default. */
  authorizedKey?: string;
}

/**
 * A machine of its own as far as a client can tell: a network namespace with an address, and in it a Docker Engine
 * at the usual socket and an sshd with its defaults. Its user `runner` may use Docker, `guest` may only log in.
 */
export interface NamespaceHost {
  address: string;
  port: number;
  user: string;
  /** Its public host key: type and base64. */
  hostKey: string;
  /** A private key that opens it, unless another was asked for. */
  identityFile: string;
  /** Its Docker Engine, past the sshd. */
  dockerHost: () => string;
  /** Becomes what follows, as root on the host. */
  within: () => readonly string[];
  /** Kills the Docker daemon; its containers live on. */
  killDaemon(): Promise<void>;
  startDaemon(): Promise<void>;
  /** Ends the sshd and every connection to it. */
  killSshd(): Promise<void>;
  /** @param settings lines of sshd_config before the host's own. */
  startSshd(settings?: readonly string[]): Promise<void>;
  /** Nothing of its sshd gets through any more, and nobody is told so. @returns what ends that. */
  silence(): Promise<() => Promise<void>>;
  /** Makes it a host of this size for whoever asks from now on. */
  pretendMemory(memoryMb: number): Promise<void>;
  /** Pulls the plug: nothing on it lives on, its disk stays. */
  die(): Promise<void>;
  /** After `die`, at the same address. */
  start(): Promise<void>;
  /** Removes all that there is of it. */
  dismiss(): Promise<void>;
}

const wait = { deadlineMs: 60_000, intervalMs: 25 };
const port = 22;

/** @throws Error for anybody but root. */
export async function startNamespaceHost(options: NamespaceHostOptions = {}): Promise<NamespaceHost> {
  await installSshd();
  const folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-host-'));
  const inFolder = (name: string): string => path.join(folder, name);
  const hostKeyFile = inFolder('host_key');
  const identityFile = inFolder('user_key');
  await makeKey(identityFile);
  if (options.hostPrivateKey === undefined) await makeKey(hostKeyFile);
  else {
    await writeFile(hostKeyFile, options.hostPrivateKey, { mode: 0o600 });
    const { stdout } = await execa('ssh-keygen', ['-y', '-f', hostKeyFile]);
    await writeFile(`${hostKeyFile}.pub`, stdout);
  }
  await writeAccounts(folder);
  const own = await readFile(`${identityFile}.pub`, 'utf8');
  await writeFile(inFolder('authorized_keys'), `${options.authorizedKey ?? own}\n`);
  await writeMeminfo(inFolder('meminfo'), options.memoryMb);
  await writeFile(inFolder('init'), initScript(folder));
  const cgroup = path.basename(folder);
  const link = await linkTo();

  let init: { outer: ChildProcess; pid: number } | undefined;
  const living = (): { outer: ChildProcess; pid: number } => {
    if (init === undefined) throw new Error('the host is dead');
    return init;
  };
  const within = (): readonly string[] => [
    ...['nsenter', '--target', String(living().pid), '--mount', '--net', '--pid', '--uts', '--ipc'],
    // Whatever is mounted over is seen from the inside only.
    ...['--root', '--wd=/'],
  ];
  const run = async (command: readonly string[]): Promise<string> => {
    const [file = '', ...args] = [...within(), ...command];
    return (await execa(file, args)).stdout;
  };
  const startInside = (command: readonly string[], log: string): ChildProcess => {
    const output = openSync(inFolder(log), 'a');
    const [file = '', ...args] = [...within(), ...command];
    const child = spawn(file, args, { detached: true, stdio: ['ignore', output, output] });
    closeSync(output);
    child.unref();
    return child;
  };
  const dockerHost = (): string => `unix:///proc/${String(living().pid)}/root/run/docker.sock`;
  const until = (what: string, probe: () => Promise<boolean>): Promise<boolean> =>
    waitUntil(probe, Boolean, { ...wait, what });
  const nobodyRuns = (name: string): Promise<boolean> =>
    until(`the end of ${name}`, async () => {
      const { exitCode } = await execa('nsenter', [...within().slice(1), 'pidof', name], { reject: false });
      return exitCode !== 0;
    });
  const killAll = async (name: string): Promise<void> => {
    await run(['sh', '-c', `kill -KILL $(pidof ${name}) || true`]);
    await nobodyRuns(name);
  };

  const host: NamespaceHost = {
    address: link.address,
    port,
    user: 'runner',
    hostKey: (await readFile(`${hostKeyFile}.pub`, 'utf8')).split(' ').slice(0, 2).join(' ').trim(),
    identityFile,
    dockerHost,
    within,
    killDaemon: () => killAll('dockerd'),
    async startDaemon() {
      await run(['rm', '-f', '/run/docker.pid']);
      startInside(
        [
          'dockerd',
          ...['--host=unix:///run/docker.sock', `--data-root=${inFolder('data')}`],
          ...['--exec-root=/run/docker', '--pidfile=/run/docker.pid', `--cgroup-parent=/${cgroup}`],
        ],
        'dockerd.log',
      );
      const docker = connectDocker(dockerHost());
      await until('the host’s Docker Engine answers', () =>
        docker.ping().then(
          () => true,
          () => false,
        ),
      ).catch(async (cause: unknown) => {
        throw new Error(await readFile(inFolder('dockerd.log'), 'utf8'), { cause });
      });
    },
    killSshd: () => killAll('sshd'),
    async startSshd(settings = []) {
      const config = sshdConfig(link.address, settings);
      await run(['sh', '-c', 'printf %s "$0" > /run/ssh/sshd_config', config]);
      startInside([findOnPath('sshd') ?? 'sshd', '-D', '-e', '-f', '/run/ssh/sshd_config'], 'sshd.log');
      await until('the host’s sshd listens', () => listens(link.address));
    },
    async silence() {
      const rule = ['INPUT', '--protocol', 'tcp', '--dport', String(port), '--jump', 'DROP'];
      await run(['iptables', '--insert', ...rule]);
      return async () => {
        await run(['iptables', '--delete', ...rule]);
      };
    },
    pretendMemory: (memoryMb) => writeMeminfo(inFolder('meminfo'), memoryMb),
    async die() {
      const { outer, pid } = living();
      const ended = once(outer, 'exit');
      process.kill(pid, 'SIGKILL');
      await ended;
      init = undefined;
    },
    async start() {
      const outer = spawn(
        'unshare',
        [
          ...['--mount', '--net', '--pid', '--uts', '--ipc', '--fork', '--kill-child', '--mount-proc'],
          ...['sh', inFolder('init')],
        ],
        { stdio: ['ignore', 'pipe', 'ignore'], detached: true },
      );
      await once(outer.stdout, 'data');
      const children = await readFile(
        `/proc/${String(outer.pid)}/task/${String(outer.pid)}/children`,
        'utf8',
      );
      const pid = Number(children.trim());
      init = { outer, pid };
      await link.connect(pid);
      await Promise.all([host.startDaemon(), host.startSshd()]);
    },
    async dismiss() {
      if (init !== undefined) await host.die();
      await link.remove();
      await removeCgroups(cgroup);
      await rm(folder, { recursive: true });
    },
  };
  try {
    await host.start();
  } catch (error) {
    await host.dismiss();
    throw error;
  }
  return host;
}

/** The host's first process. It takes in the orphans, as such processes do. */
function initScript(folder: string): string {
  const bind = (name: string, place: string): string => `mount --bind ${path.join(folder, name)} ${place}`;
  return [
    'set -e',
    'mount --make-rprivate /',
    'mount -t tmpfs -o mode=755 tmpfs /run',
    'mkdir -p /run/sshd /run/ssh /run/lock /run/home',
    `cp ${path.join(folder, 'host_key')} ${path.join(folder, 'authorized_keys')} /run/ssh/`,
    'chmod 600 /run/ssh/host_key',
    ...['passwd', 'group', 'shadow'].map((name) => bind(name, `/etc/${name}`)),
    bind('meminfo', '/proc/meminfo'),
    'ip link set lo up',
    'echo up',
    'while :; do sleep 1000 & wait; done',
  ].join('\n');
}

/** Everything else is sshd's default. */
const sshdConfig = (address: string, settings: readonly string[]): string =>
  [
    ...settings,
    `ListenAddress ${address}:${String(port)}`,
    'HostKey /run/ssh/host_key',
    'AuthorizedKeysFile /run/ssh/authorized_keys',
    'UsePAM no',
    '',
  ].join('\n');

/** This machine's accounts and two more. */
async function writeAccounts(folder: string): Promise<void> {
  const write = async (name: string, lines: (text: string) => string): Promise<void> => {
    const text = await readFile(`/etc/${name}`, 'utf8');
    await writeFile(path.join(folder, name), lines(text), { mode: name === 'shadow' ? 0o640 : 0o644 });
  };
  const account = (name: string, id: number): string =>
    `${name}:x:${String(id)}:${String(id)}::/run/home:/bin/sh\n`;
  await write('passwd', (text) => text + account('runner', 64_001) + account('guest', 64_002));
  await write('shadow', (text) => `${text}runner:*:19000::::::\nguest:*:19000::::::\n`);
  await write('group', (text) => {
    const others = text.split('\n').filter((line) => !line.startsWith('docker:'));
    return `${others.join('\n')}docker:x:64000:runner\nrunner:x:64001:\nguest:x:64002:\n`;
  });
}

/** In place: the file is mounted. */
async function writeMeminfo(file: string, memoryMb: number | undefined): Promise<void> {
  const text = await readFile('/proc/meminfo', 'utf8');
  const total = memoryMb === undefined ? undefined : String(memoryMb * 1024);
  await writeFile(file, total === undefined ? text : text.replace(/^(MemTotal: +)\d+/m, `$1${total}`));
}

async function makeKey(file: string): Promise<void> {
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', file]);
}

const listens = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host: address, port });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => {
      resolve(false);
    });
  });

const policy = '/usr/sbin/policy-rc.d';

/** Debian's, without its service being started. */
async function installSshd(): Promise<void> {
  if (findOnPath('sshd') !== undefined && findOnPath('ip') !== undefined) return;
  const forbid = !existsSync(policy);
  if (forbid) await appendFile(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await installPackages(['openssh-server', 'iproute2']);
  } finally {
    if (forbid) await rm(policy);
  }
  await mkdir('/run/sshd', { recursive: true });
}
