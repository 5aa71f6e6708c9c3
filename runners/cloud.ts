import type { ContainerEngine } from './docker.js';

/** Where something of a stack may be left: a Docker Engine, or a region of AWS. */
export type Place = Pick<ContainerEngine, 'everything' | 'leftovers' | 'remove'>;

/** What AWS has of this project in one region. */
export interface Cloud extends Place {
  region: string;
}

/** AWS's client costs a third of a second to load: whose stacks are all on machines of his own never waits for it. */
export async function cloudsIn(regions: readonly string[]): Promise<Cloud[]> {
  if (regions.length === 0) return [];
  const { cloudIn } = await import('./ec2.js');
  return regions.map(cloudIn);
}
