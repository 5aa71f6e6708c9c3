import { createRequire } from 'node:module';
import { checkout } from '../engine/state.js';
import { compile } from './compile.js';
import type { AwsPlan } from './cost.js';
import type { ContainerEngine } from './docker.js';
import type * as ec2 from './ec2.js';

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

/**
 * AWS's client knows 700 operations, which takes 90 MB of the runner's memory. As one file with those that are used
 * here it takes 30; whose stacks are all on machines of his own never waits for it.
 */
async function loadClient(): Promise<typeof ec2> {
  try {
    // Only as ES modules does it come apart.
    const options = { mainFields: ['module', 'main'] };
    const file = await compile(checkout, `export { ec2In } from './ec2.js';`, options);
    return createRequire(import.meta.url)(file) as typeof ec2;
  } catch {
    // Say on a full disk: what costs money is to be removed all the same.
    return import('./ec2.js');
  }
}

let client: Promise<typeof ec2> | undefined;

export async function cloudIn(region: string): Promise<Cloud> {
  const { ec2In } = await (client ??= loadClient());
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
