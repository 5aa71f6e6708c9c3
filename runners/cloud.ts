import type { AwsPlan } from './cost.js';
import type { ContainerEngine } from './docker.js';

/** Where something of a stack may be left: a Docker Engine, or a region of AWS. */
export type Place = Pick<ContainerEngine, 'everything' | 'leftovers' | 'remove'>;

/** What AWS has of this project in one region. */
export interface Cloud extends Place {
  region: string;
  /**
   * Nothing is made by it.
   * @throws Error when nothing can be made there: no credentials, no permission, no instances of the type.
   */
  refuseUnlessReady(instanceType: string): Promise<void>;
}

/** AWS's client costs a third of a second to load: whose stacks are all on machines of his own never waits for it. */
export async function cloudIn(region: string): Promise<Cloud> {
  const { ec2In } = await import('./ec2.js');
  return ec2In(region);
}

/**
 * The region that a plan's instances are to be in.
 * @throws Error when nothing can be made there.
 */
export async function readyCloud({ region, type }: AwsPlan): Promise<Cloud> {
  const cloud = await cloudIn(region);
  await cloud.refuseUnlessReady(type.name);
  return cloud;
}
