import type { Outputs } from '../../components/outputs.js';
import { connectDocker } from '../../engine/docker.js';
import type { Progress } from '../../engine/progress.js';
import { setUp, type EngineEnvironment } from '../../engine/setup.js';
import { folderOf, type SshTarget } from '../../engine/ssh/target.js';
import { dockerEngine, type ContainerEngine } from '../docker.js';
import { roomOf, type Room } from '../room.js';
import type { Stack } from '../stack.js';
import type { SuiteRunner } from '../suite-runner.js';
import { remoteHost } from './remote.js';
import { enterHost, leaveHost } from './users.js';

/**
 * Where the environments of a command are, and how they are reached from here: what is different about hosts is in
 * here, and nobody else asks which one it is.
 */
export interface RunHost {
  /** Address of the Docker Engine of a stack: leases and the waiting line know the host by it. */
  dockerHostOf(stack: string): string;
  engine: ContainerEngine;
  room: Room;
  /** The outputs of a stack of it, with the ports that lead there from here. */
  reachable(outputs: Outputs): Promise<Outputs>;
  /** The same stack, with the way to its host open whenever something is done to it, and outputs that count here. */
  reached(stack: Stack, name: string): Stack;
  /** The same runner, for suites whose environments are on the host. */
  suites(runner: SuiteRunner): SuiteRunner;
  /** This process needs the way to it no more. */
  leave(): Promise<void>;
}

/**
 * Sets up what a command needs to bring environments up.
 * @param target the machine that they are to be on; absent when the Docker Engine is at hand.
 * @throws the set-up's error: nothing is to be left then.
 */
export async function setUpHost(
  target: SshTarget | undefined,
  progress: Progress,
): Promise<{ engine: EngineEnvironment; host: RunHost }> {
  if (target !== undefined) await enterHost(target);
  try {
    const engine = await setUp({ progress, target });
    return { engine, host: hostOf(target, engine.dockerHost) };
  } catch (error) {
    if (target !== undefined) await leaveHost(folderOf(target)).catch(() => undefined);
    throw error;
  }
}

/**
 * @param target the machine; absent when the Docker Engine is at hand.
 * @param dockerHost as the set-up found it.
 */
export const hostOf = (target: SshTarget | undefined, dockerHost: string): RunHost =>
  target === undefined ? localHost(dockerHost) : remoteHost(target);

function localHost(dockerHost: string): RunHost {
  const engine = dockerEngine(connectDocker(dockerHost));
  return {
    dockerHostOf: () => dockerHost,
    engine,
    room: roomOf(engine, dockerHost),
    reachable: (outputs) => Promise.resolve(outputs),
    reached: (stack) => stack,
    suites: (runner) => runner,
    leave: () => Promise.resolve(),
  };
}
