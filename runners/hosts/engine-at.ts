import { connectDocker } from '../../engine/docker.js';
import { describeTarget, tunnelOfDockerHost } from '../../engine/ssh/target.js';
import { ensureTunnel, reopenTunnel } from '../../engine/ssh/tunnel.js';
import { dockerEngine, type ContainerEngine } from '../docker.js';
import type { StandingStacks } from '../stack.js';
import { leaveHost } from './users.js';

/**
 * The Docker Engine that a lease or a state names, with the way to it open.
 * @throws TunnelError when its host can't be reached.
 */
export async function engineAt(dockerHost: string): Promise<ContainerEngine> {
  await reopenTunnel(dockerHost);
  return dockerEngine(connectDocker(dockerHost), tunnelOfDockerHost(dockerHost) === undefined);
}

/**
 * The Docker Engine of a stack that only its state knows.
 * @param otherwise for a stack whose state names none.
 * @throws TunnelError when its host can't be reached.
 */
export async function engineOfStack(
  stacks: Pick<StandingStacks, 'engineOf'>,
  name: string,
  otherwise: ContainerEngine,
): Promise<ContainerEngine> {
  const known = await stacks.engineOf(name);
  if (known === undefined) return otherwise;
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
