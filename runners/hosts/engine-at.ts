import { connectDocker } from '../../engine/docker.js';
import { describeTarget, tunnelOfDockerHost } from '../../engine/ssh/target.js';
import { ensureTunnel, reopenTunnel } from '../../engine/ssh/tunnel.js';
import { cloudIn, type Place } from '../cloud.js';
import { dockerEngine, type ContainerEngine } from '../docker.js';
import type { Lease } from '../leases.js';
import type { StandingStacks } from '../stack.js';
import { leaveHost } from './users.js';

/**
 * Where something may be left of a stack that has a lease: its Docker Engine, with the way to it open, or AWS, if its
 * host goes with it.
 * @throws TunnelError when its host can't be reached.
 */
export async function placeOf({ region, dockerHost }: Pick<Lease, 'region' | 'dockerHost'>): Promise<Place> {
  return region === undefined ? engineAt(dockerHost) : cloudIn(region);
}

async function engineAt(dockerHost: string): Promise<ContainerEngine> {
  await reopenTunnel(dockerHost);
  return dockerEngine(connectDocker(dockerHost), tunnelOfDockerHost(dockerHost) === undefined);
}

/**
 * The same of a stack that only its state knows.
 * @param otherwise for a stack whose state names none.
 * @throws TunnelError when its host can't be reached.
 */
export async function placeOfStack(
  stacks: Pick<StandingStacks, 'engineOf'>,
  name: string,
  otherwise: Place,
): Promise<Place> {
  const known = await stacks.engineOf(name);
  if (known === undefined) return otherwise;
  if ('region' in known) return cloudIn(known.region);
  const { dockerHost, target } = known;
  if (target !== undefined) {
    const folder = tunnelOfDockerHost(dockerHost);
    if (folder === undefined) {
      throw new Error(
        `${name} was brought up by another user or on another machine, which reaches ${describeTarget(target)} ` +
          `at ${dockerHost}: destroy it from there, or where REHEARSAL_CACHE is the same`,
      );
    }
    await ensureTunnel(folder, target);
  }
  return engineAt(dockerHost);
}

/** This process needs the host of a Docker Engine no more. */
export async function leaveEngine(dockerHost: string): Promise<void> {
  const folder = tunnelOfDockerHost(dockerHost);
  if (folder !== undefined) await leaveHost(folder);
}
