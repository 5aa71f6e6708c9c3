import { execa } from 'execa';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { findOnPath } from '../machine.js';
import type { SshTarget } from './target.js';

/** Files of a connection's folder. */
export const files = (
  folder: string,
): Record<'control' | 'socket' | 'knownHosts' | 'log' | 'forwards' | 'opened', string> => ({
  control: path.join(folder, 'ctl'),
  socket: path.join(folder, 'docker.sock'),
  knownHosts: path.join(folder, 'known_hosts'),
  log: path.join(folder, 'ssh.log'),
  forwards: path.join(folder, 'forwards'),
  opened: path.join(folder, 'opened'),
});

/** The host's name in its known_hosts: there is one line, whatever the address looks like. */
export const hostAlias = 'host';

/** How long nobody may use a connection before it ends by itself: it must not outlive everybody who would end it. */
const persistSeconds = 1800;
const aliveSeconds = 3;
const aliveCount = 3;

/** Nothing of the user's or the machine's configuration counts: it could let other keys in. */
const common = (folder: string): string[] => ['-F', 'none', '-S', files(folder).control];

/** Without the brackets that URLs put around IPv6. */
export const nameOf = (address: string): string => address.replace(/^\[(.*)\]$/, '$1');

/** Who is connected to, and that it is he. */
function connectArguments(folder: string, target: SshTarget, connectSeconds: number): string[] {
  const options = {
    HostKeyAlias: hostAlias,
    UserKnownHostsFile: `"${files(folder).knownHosts}"`,
    GlobalKnownHostsFile: '/dev/null',
    StrictHostKeyChecking: 'yes',
    CheckHostIP: 'no',
    UpdateHostKeys: 'no',
    HostKeyAlgorithms: algorithmsOf(target.hostKey),
    BatchMode: 'yes',
    PreferredAuthentications: 'publickey',
    ConnectTimeout: connectSeconds,
    ServerAliveInterval: aliveSeconds,
    ServerAliveCountMax: aliveCount,
    ...(target.identityFile === undefined ? {} : { IdentitiesOnly: 'yes' }),
  };
  return [
    ...asArguments(options),
    ...(target.identityFile === undefined ? [] : ['-i', target.identityFile]),
    ...['-l', target.user, '-p', String(target.port)],
  ];
}

const asArguments = (options: Readonly<Record<string, string | number>>): string[] =>
  Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${String(value)}`]);

/** The arguments that open the connection and go into the background with it. */
export function masterArguments(
  folder: string,
  target: SshTarget,
  log: string,
  connectSeconds: number,
): string[] {
  const { socket } = files(folder);
  return [
    ...common(folder),
    ...['-f', '-N', '-E', log],
    ...asArguments({
      ControlMaster: 'yes',
      ControlPersist: persistSeconds,
      ExitOnForwardFailure: 'yes',
      StreamLocalBindUnlink: 'yes',
    }),
    ...connectArguments(folder, target, connectSeconds),
    ...['-L', `${socket}:/var/run/docker.sock`],
    ...['--', nameOf(target.address)],
  ];
}

/** The arguments that run a command on a host that has no connection yet. */
export const commandArguments = (
  folder: string,
  target: SshTarget,
  command: string,
  connectSeconds: number,
): string[] => [
  ...['-F', 'none', '-S', 'none'],
  ...connectArguments(folder, target, connectSeconds),
  ...['--', nameOf(target.address), command],
];

/** What a key of this type signs with: a host that has others, too, is to show this one. */
export function algorithmsOf(hostKey: string): string {
  const [type = ''] = hostKey.split(' ');
  return type === 'ssh-rsa' ? 'rsa-sha2-512,rsa-sha2-256' : type;
}

/** @throws Error when OpenSSH isn't installed. */
export function sshClient(): string {
  const ssh = findOnPath('ssh');
  if (ssh !== undefined) return ssh;
  throw new Error(
    'no "ssh" is on PATH: install the OpenSSH client (Debian and Ubuntu: apt install openssh-client)',
  );
}

/** An inherited mark of a run would have the connection ended with that run's processes. */
const inherited = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'SSH_AUTH_SOCK'];
export const environment = (): Record<string, string> =>
  Object.fromEntries(
    inherited.flatMap((key) => (process.env[key] === undefined ? [] : [[key, process.env[key]]])),
  );

interface Ended {
  /** Undefined when it was cut short. */
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
}

interface RunOptions {
  signal?: AbortSignal;
  /** What it writes is in a log of its own: a pipe would stay open as long as the connection. */
  silent?: boolean;
}

/** Runs one of OpenSSH's programs to its end. */
export async function runSsh(
  command: string,
  args: readonly string[],
  { signal, silent = false }: RunOptions = {},
): Promise<Ended> {
  const { exitCode, stdout, stderr } = await execa(command, [...args], {
    env: environment(),
    extendEnv: false,
    stdin: 'ignore',
    ...(silent ? { stdout: 'ignore', stderr: 'ignore' } : {}),
    ...(signal === undefined ? {} : { cancelSignal: signal }),
    reject: false,
  });
  return { exitCode, stdout: stdout ?? '', stderr: stderr ?? '' };
}

/** Asks the process that holds the connection for something. @returns its exit code. */
export async function control(
  folder: string,
  order: 'check' | 'exit' | 'forward' | 'cancel',
  args: readonly string[] = [],
): Promise<number | undefined> {
  if (!existsSync(files(folder).control)) return undefined;
  const signal = AbortSignal.timeout(controlDeadlineMs);
  const { exitCode } = await runSsh(sshClient(), [...common(folder), '-O', order, ...args, hostAlias], {
    signal,
  });
  return exitCode;
}

const controlDeadlineMs = 10_000;

/** The arguments that run a command on the host, through the connection that is there. */
export const sessionArguments = (folder: string, command: string): string[] => [
  ...common(folder),
  ...['-o', 'ControlMaster=no', '-o', 'BatchMode=yes', hostAlias, command],
];
