import { execa } from 'execa';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { adoptDaemon, runningDaemon, startDaemon } from './daemon.js';
import { connectDocker, defaultDockerHost, resolveDockerHost, tooOld } from './docker.js';
import { canInstallPackages, findOnPath, installPackages, isRoot, isSystemdInit } from './machine.js';
import { reasonOf } from './errors.js';
import { type Found, type Update } from './pieces.js';
import { describeTarget, dockerHostOfTunnel, folderOf, type SshTarget } from './ssh/target.js';
import { ensureTunnel } from './ssh/tunnel.js';

export interface DockerFacts {
  host: string;
  /** Server version, and why that is too old if it is, or why it doesn't answer. */
  answer: { version: string; obstacle?: string } | { problem: string; denied: boolean };
  isRoot: boolean;
  canInstallPackages: boolean;
  hasDockerd: boolean;
  isSystemdInit: boolean;
}

export type DockerDecision =
  | { kind: 'use'; version: string }
  | { kind: 'start'; install: boolean; systemd: boolean }
  | { kind: 'refuse'; message: string };

/** What to do about the Docker Engine on a machine with these facts. */
export function decideDocker(facts: DockerFacts): DockerDecision {
  if ('version' in facts.answer) {
    const { version, obstacle } = facts.answer;
    return obstacle === undefined ? { kind: 'use', version } : { kind: 'refuse', message: obstacle };
  }
  const problem = `Docker Engine at ${facts.host} does not answer (${facts.answer.problem})`;
  if (facts.answer.denied) {
    return {
      kind: 'refuse',
      message: `${problem}: have an administrator add you to the group "docker", or run this as root`,
    };
  }
  if (facts.host !== defaultDockerHost) {
    return {
      kind: 'refuse',
      message: `${problem}: start it, or point DOCKER_HOST or "docker context use" to one that runs`,
    };
  }
  if (!facts.isRoot) {
    const remedy = facts.hasDockerd
      ? 'start it ("sudo systemctl start docker") and make sure that you may use it (group "docker")'
      : 'install Docker Engine (https://docs.docker.com/engine/install), or run this as root on a machine with apt';
    return { kind: 'refuse', message: `${problem}: ${remedy}` };
  }
  if (!facts.hasDockerd && !facts.canInstallPackages) {
    return {
      kind: 'refuse',
      message: `${problem}, and without apt it can't be installed from here: install Docker Engine (https://docs.docker.com/engine/install)`,
    };
  }
  return { kind: 'start', install: !facts.hasDockerd, systemd: facts.isSystemdInit };
}

export async function dockerFacts(host: string = resolveDockerHost()): Promise<DockerFacts> {
  return {
    host,
    answer: await askVersion(host),
    isRoot: isRoot(),
    canInstallPackages: canInstallPackages(),
    hasDockerd: findOnPath('dockerd') !== undefined,
    isSystemdInit: isSystemdInit(),
  };
}

async function askVersion(host: string): Promise<DockerFacts['answer']> {
  try {
    const answer = await connectDocker(host).version();
    const obstacle = tooOld(answer);
    return { version: answer.Version, ...(obstacle === undefined ? {} : { obstacle }) };
  } catch (error) {
    const denied = error instanceof Error && 'code' in error && error.code === 'EACCES';
    return { problem: reasonOf(error), denied };
  }
}

/** Folder of the log and the record of a daemon that the set-up starts. */
export const daemonFolder = (cache: string): string => path.join(cache, 'dockerd');

/**
 * The Docker Engine of another machine. Nothing is installed there.
 * @throws TunnelError; Error when it is too old.
 */
export async function reachDocker(target: SshTarget, update: Update): Promise<Found & { host: string }> {
  const where = describeTarget(target);
  update(`connecting to ${where}`);
  const folder = folderOf(target);
  await ensureTunnel(folder, target);
  const host = dockerHostOfTunnel(folder);
  const answer = await askVersion(host);
  if ('problem' in answer) throw new Error(`${where}: its Docker Engine does not answer: ${answer.problem}`);
  if (answer.obstacle !== undefined) throw new Error(`${where}: ${answer.obstacle}`);
  return { way: 'installed', host, version: answer.version, detail: `at ${where}` };
}

/**
 * @param mayInstall false when one isn't needed but used where there is one.
 * @throws Error when there is none and none may be started; its message is the remedy.
 */
export async function ensureDocker(
  cache: string,
  update: Update,
  mayInstall = true,
): Promise<Found & { host: string }> {
  const facts = await dockerFacts();
  const decision = decideDocker(facts);
  const canStart = decision.kind === 'start' && !decision.install;
  if (!mayInstall && 'problem' in facts.answer && !canStart) {
    return { way: 'installed', host: facts.host, version: `none that answers at ${facts.host}` };
  }
  if (decision.kind === 'refuse') throw new Error(decision.message);
  if (decision.kind === 'use') return { way: 'installed', host: facts.host, version: decision.version };
  if (decision.install) {
    update('installing docker.io with apt');
    await installPackages(['docker.io', 'iptables']);
  }
  update('starting dockerd');
  if (decision.systemd) await execa('systemctl', ['start', 'docker']);
  else await startOrJoin(daemonFolder(cache), facts.host);
  const answer = await askVersion(facts.host);
  if ('problem' in answer)
    throw new Error(`Docker Engine was started but does not answer at ${facts.host}: ${answer.problem}`);
  if (answer.obstacle !== undefined) throw new Error(answer.obstacle);
  return { way: 'fallback', host: facts.host, version: answer.version };
}

async function startOrJoin(folder: string, host: string): Promise<void> {
  const starting = (await runningDaemon(folder))?.pid ?? startedByPackage();
  if (starting === undefined) await startDaemon({ folder, host, dockerdArguments: [] });
  else await adoptDaemon(folder, host, starting);
}

/** Debian's package starts the daemon through its init script where no policy forbids it. */
function startedByPackage(): number | undefined {
  const file = '/var/run/docker-ssd.pid';
  const pid = existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : Number.NaN;
  return existsSync(`/proc/${pid}`) ? pid : undefined;
}
