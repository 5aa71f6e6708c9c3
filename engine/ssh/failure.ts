import { createHash } from 'node:crypto';
import { access, constants, readFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { findOnPath } from '../machine.js';
import { nameOf, runSsh, sessionArguments, sshClient } from './client.js';
import { describeTarget, type SshTarget } from './target.js';

/** Why there is no connection to a host's Docker Engine. */
export type TunnelProblem =
  | 'unreachable'
  | 'refused'
  | 'no ssh server'
  | 'host key'
  | 'login'
  | 'no docker'
  | 'no permission'
  | 'forwarding'
  | 'deadline';

/** One sentence, with the remedy. */
export class TunnelError extends Error {
  override readonly name = 'TunnelError';
  constructor(
    readonly problem: TunnelProblem,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * Why a connection wasn't opened: `ssh` ends with the same code whatever it was, so each step is looked at by itself.
 * @param log what `ssh` wrote.
 */
export async function explainNoConnection(
  target: SshTarget,
  log: string,
  signal: AbortSignal,
): Promise<TunnelError> {
  const host = describeTarget(target);
  const unreachable = await whyUnreachable(target, signal);
  if (unreachable !== undefined) {
    const [problem, reason] = unreachable;
    return new TunnelError(
      problem,
      `${host} can't be reached (${reason}): check rehearsal:host.address and .port, the network, and that an SSH server listens there`,
    );
  }
  const shown = await keysShown(target, signal);
  if (shown.length === 0) {
    return new TunnelError(
      'no ssh server',
      `${host} shows no host key: what listens there is no SSH server, or takes no connection now${quoted(log)}`,
    );
  }
  if (!shown.includes(target.hostKey)) {
    const sameType = shown.filter((key) => typeOf(key) === typeOf(target.hostKey));
    const others = (sameType.length > 0 ? sameType : shown).map(fingerprint).join(', ');
    return new TunnelError(
      'host key',
      `${host} shows the host key ${others}, pinned is ${fingerprint(target.hostKey)}: it is another machine, or ` +
        'somebody is in between. If you know that its key was changed, set rehearsal:host.hostKey to the new one',
    );
  }
  return new TunnelError(
    'login',
    `${host} lets nobody in as ${target.user} with ${await keysTried(target)}: check rehearsal:host.user, ` +
      `and that one of these keys is in its ~/.ssh/authorized_keys${quoted(log)}`,
  );
}

/** Problems of the private key that can be told before anybody connects. */
export async function identityProblem({ identityFile }: SshTarget): Promise<TunnelError | undefined> {
  if (identityFile === undefined) return undefined;
  try {
    await access(identityFile, constants.R_OK);
  } catch (cause) {
    const message = `rehearsal:host.identityFile ${identityFile} can't be read: name the file of a private key`;
    return new TunnelError('login', message, { cause });
  }
  const { exitCode } = await runSsh(findOnPath('ssh-keygen') ?? 'ssh-keygen', [
    '-y',
    '-P',
    '',
    '-f',
    identityFile,
  ]);
  if (exitCode === 0) return undefined;
  return new TunnelError(
    'login',
    `rehearsal:host.identityFile ${identityFile} can't be used as it is: it is no private key, others may read it ` +
      '(chmod 600), or it has a passphrase (then "ssh-add" it, and leave identityFile out)',
  );
}

/** Where the host says what is the matter with its Docker Engine, by exit codes that no shell uses. */
const dockerFacts = [
  'test -S /var/run/docker.sock || exit 81',
  'test -w /var/run/docker.sock || exit 82',
  'command -v docker >/dev/null || exit 83',
  'docker -H unix:///var/run/docker.sock version >/dev/null 2>&1 || exit 84',
  'exit 85',
].join('; ');

/** Why the Docker Engine doesn't answer through a connection that is there. */
export async function explainNoDocker(
  folder: string,
  target: SshTarget,
  signal: AbortSignal,
): Promise<TunnelError> {
  const { exitCode } = await runSsh(sshClient(), sessionArguments(folder, `sh -c '${dockerFacts}'`), {
    signal,
  });
  const host = describeTarget(target);
  const start = 'start it there ("sudo systemctl start docker")';
  const forwarding =
    'its sshd has to allow forwarding (AllowStreamLocalForwarding, AllowTcpForwarding, DisableForwarding)';
  switch (exitCode) {
    case 81:
      return new TunnelError(
        'no docker',
        `${host} has no Docker Engine at /var/run/docker.sock: install Docker Engine there (https://docs.docker.com/engine/install), or ${start}`,
      );
    case 82:
      return new TunnelError(
        'no permission',
        `${host}: ${target.user} may not use /var/run/docker.sock: have ${target.user} added to the group "docker" there ("sudo usermod -aG docker ${target.user}")`,
      );
    case 84:
      return new TunnelError('no docker', `${host}: its Docker Engine does not answer: ${start}`);
    case 85:
      return new TunnelError(
        'forwarding',
        `${host}: its Docker Engine answers there, but not from here: ${forwarding}`,
      );
    default:
      return new TunnelError(
        'no docker',
        `${host}: its Docker Engine does not answer: ${start}; if it runs, ${forwarding}`,
      );
  }
}

const probeDeadlineMs = 3_000;

async function whyUnreachable(
  { address, port }: SshTarget,
  signal: AbortSignal,
): Promise<['unreachable' | 'refused', string] | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: nameOf(address), port, signal, timeout: probeDeadlineMs });
    const tooLate = (): void => {
      socket.destroy();
      resolve(['unreachable', 'it did not answer in time']);
    };
    socket.on('timeout', tooLate);
    socket.on('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (signal.aborted) tooLate();
      else if (error.code === 'ECONNREFUSED')
        resolve(['refused', `port ${String(port)} refuses connections`]);
      else if (error.code === 'ENOTFOUND') resolve(['unreachable', 'there is no host of this name']);
      else resolve(['unreachable', error.code ?? error.message]);
    });
  });
}

/** Of every type that the host has. */
async function keysShown({ address, port }: SshTarget, signal: AbortSignal): Promise<string[]> {
  const args = ['-T', '5', '-p', String(port), '--', nameOf(address)];
  const { stdout } = await runSsh(findOnPath('ssh-keyscan') ?? 'ssh-keyscan', args, { signal });
  return stdout
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(' ').slice(1, 3).join(' '));
}

async function keysTried({ identityFile }: SshTarget): Promise<string> {
  if (identityFile !== undefined) return `the key of ${identityFile}`;
  const { exitCode, stdout } = await runSsh(findOnPath('ssh-add') ?? 'ssh-add', ['-l']);
  if (exitCode === 0) return `the agent's ${String(stdout.split('\n').length)} keys and those of ~/.ssh`;
  return exitCode === 1
    ? `the keys of ~/.ssh (the agent has none: "ssh-add" one, or set rehearsal:host.identityFile)`
    : `the keys of ~/.ssh (no agent answers: start one and "ssh-add" a key, or set rehearsal:host.identityFile)`;
}

const typeOf = (key: string): string => key.split(' ')[0] ?? '';

/** As OpenSSH prints it. */
export function fingerprint(key: string): string {
  const [type = '', base64 = ''] = key.split(' ');
  const digest = createHash('sha256').update(Buffer.from(base64, 'base64')).digest('base64');
  return `SHA256:${digest.replace(/=+$/, '')} (${type})`;
}

function quoted(log: string): string {
  const last = log.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return last === '' ? '' : ` (ssh says: ${last})`;
}

export const readLog = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
