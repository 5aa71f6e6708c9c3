import { localDockerHost } from '../../components/hosts/access.js';
import type { Outputs } from '../../components/outputs.js';
import { connectDocker } from '../../engine/docker.js';
import type { Progress } from '../../engine/progress.js';
import { setUp, type EngineEnvironment } from '../../engine/setup.js';
import { folderOf, type SshTarget } from '../../engine/ssh/target.js';
import { readyCloud } from '../cloud.js';
import type { AwsPlan } from '../cost.js';
import { dockerEngine, type ContainerEngine, type Scope } from '../docker.js';
import { backendOf } from '../lease-book.js';
import { roomOf, type Room } from '../room.js';
import type { Stack } from '../stack.js';
import type { SuiteRunner } from '../suite-runner.js';
import { madeHosts } from './made.js';
import { remoteHost } from './remote.js';
import { enterHost, leaveHost } from './users.js';

/**
 * Where the environments of a command are, and how they are reached from here: what is different about hosts is in
 * here, and nobody else asks which one it is.
 */
export interface RunHost {
  /** Of AWS, where each stack's host is made. */
  region?: string;
  /** Address of the Docker Engine of a stack: leases and the waiting line know the host by it. */
  dockerHostOf(stack: string): string;
  engine: ContainerEngine;
  room: Room;
  /** The same stack, with the way to its host open whenever something is done to it, and outputs that count here. */
  reached(stack: Stack, name: string, folder?: string): Stack;
  /** The same runner, for suites whose environments are on the host. */
  suites(runner: SuiteRunner): SuiteRunner;
  /** This process needs the way to it no more. */
  leave(): Promise<void>;
}

/** One that is there before any stack. */
export interface LastingHost extends RunHost {
  /** The outputs of a stack of it, with the ports that lead there from here. */
  reachable(outputs: Outputs): Promise<Outputs>;
}

/** Where a command's environments are to be: on a machine, on one that is made for each, or, without either, here. */
interface Wanted {
  target?: SshTarget | undefined;
  aws?: AwsPlan;
  /** The stack's name. */
  stackOf: (scope: Scope) => string;
}

/**
 * Sets up what a command needs to bring environments up.
 * @throws ConfigError, the set-up's error, or AWS's: nothing is to be left then.
 */
export async function setUpHost(
  { target, aws, stackOf }: Wanted,
  progress: Progress,
): Promise<{ engine: EngineEnvironment; host: RunHost }> {
  if (aws !== undefined) {
    const cloud = await readyCloud(aws);
    const engine = await setUp({ progress, aws: true });
    const backend = backendOf({ ...process.env, ...engine.env });
    return { engine, host: madeHosts({ aws, cloud, backend, stackOf }) };
  }
  if (target === undefined) localDockerHost();
  else await enterHost(target);
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
export const hostOf = (target: SshTarget | undefined, dockerHost: string): LastingHost =>
  target === undefined ? localHost(dockerHost) : remoteHost(target);

function localHost(dockerHost: string): LastingHost {
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
