import { homedir } from 'node:os';
import path from 'node:path';
import { elsewhere, resolveDockerHost } from '../../engine/docker.js';
import { forwardPort } from '../../engine/ssh/forwards.js';
import { dockerHostOfTunnel, folderOf, type SshTarget } from '../../engine/ssh/target.js';
import { ensureTunnel } from '../../engine/ssh/tunnel.js';
import { checkout } from '../../engine/state.js';
import { ConfigError } from '../config.js';
import type { HostSettings, SshHost } from './settings.js';

/** A Docker Engine, and the way from here to what its containers publish. */
export interface HostAccess {
  dockerHost: string;
  /** From a port of its host's loopback to the port of ours that leads there. */
  reach: (port: number) => Promise<number>;
  /** How to log in to the host; absent when it is this machine, or Docker's own context says where it is. */
  target?: SshTarget;
}

/** How to log in to a host of the settings. */
export function targetOf({ address, port, user, hostKey, identityFile }: SshHost): SshTarget {
  const target = { address, port, user, hostKey };
  return identityFile === undefined ? target : { ...target, identityFile: absolute(identityFile) };
}

/** As a shell reads it; a relative one starts at the checkout, where the settings are. */
const absolute = (file: string): string =>
  file.startsWith('~/') ? path.join(homedir(), file.slice(2)) : path.resolve(checkout, file);

/**
 * The Docker Engine that the `docker` command would talk to.
 * @throws ConfigError when it isn't of this machine; Error about Docker's context.
 */
export function localDockerHost(): string {
  const dockerHost = resolveDockerHost();
  const problem = elsewhere(dockerHost);
  if (problem === undefined) return dockerHost;
  throw new ConfigError([problem], 'the address of the Docker Engine (DOCKER_HOST, or the "docker context")');
}

/**
 * Reaches a host that is there.
 * @throws TunnelError; ConfigError; Error about Docker's context.
 */
export async function accessTo(host: Exclude<HostSettings, { kind: 'aws' }>): Promise<HostAccess> {
  if (host.kind === 'local') {
    return { dockerHost: localDockerHost(), reach: (port) => Promise.resolve(port) };
  }
  const target = targetOf(host);
  const folder = folderOf(target);
  await ensureTunnel(folder, target);
  return {
    dockerHost: dockerHostOfTunnel(folder),
    reach: (port) => forwardPort(folder, port),
    target,
  };
}
