import { roomMb } from '../components/sizing.js';
import type { Lease, Leases } from './leases.js';

/** An environment, and the memory that its limits add up to. */
export interface Occupant {
  stack: string;
  memoryMb: number;
}

/**
 * The environments that a Docker Engine has, or is to have: those with a lease that isn't over, and those
 * whose containers run, whoever made them.
 * @param standing Σ(limits) of the labelled containers that run, by stack.
 */
export function occupantsOf(
  { leases }: Leases,
  standing: ReadonlyMap<string, number>,
  dockerHost: string,
  isOver: (lease: Lease) => boolean,
): Occupant[] {
  const leased = leases.filter(
    (lease) => lease.dockerHost === dockerHost && (standing.has(lease.stack) || !isOver(lease)),
  );
  const all = new Map(standing);
  // A lease tells what is to come, the containers what is there: a stack that changes its size may have both.
  for (const { stack, memoryMb } of leased) all.set(stack, Math.max(memoryMb, all.get(stack) ?? 0));
  return [...all].map(([stack, memoryMb]) => ({ stack, memoryMb }));
}

/**
 * Why an environment must wait, undefined when there is room for it.
 * @param occupants what has memory already; the environment itself is not among them.
 * @param earlier those who wait already and come first, in their order.
 */
export function reasonToWait(
  { memoryMb }: Occupant,
  hostMemoryMb: number,
  occupants: readonly Occupant[],
  earlier: readonly Occupant[],
): string | undefined {
  if (earlier.length > 0) return `${String(memoryMb)} MiB come after ${describe(earlier)}, which wait too`;
  const room = roomMb(hostMemoryMb, occupants.length + 1);
  const takenMb = occupants.reduce((sum, occupant) => sum + occupant.memoryMb, 0);
  if (takenMb + memoryMb <= room) return undefined;
  return (
    `${String(memoryMb)} MiB don't fit beside ${describe(occupants)}: ` +
    `the host has ${String(Math.floor(room))} MiB for environments`
  );
}

const describe = (occupants: readonly Occupant[]): string =>
  occupants.map(({ stack, memoryMb }) => `${stack} (${String(memoryMb)} MiB)`).join(', ');

/** What an environment's suite and services keep busy while it runs. */
const coresPerJob = 2;

/** How many suites a host can run at once: as many as its memory and its cores allow, one at least. */
export function jobsFor(
  environmentMb: number,
  { memoryMb, cpus }: { memoryMb: number; cpus: number },
  suites: number,
): number {
  const byCores = Math.floor(cpus / coresPerJob);
  let jobs = 1;
  while (jobs < Math.min(byCores, suites) && (jobs + 1) * environmentMb <= roomMb(memoryMb, jobs + 1))
    jobs += 1;
  return jobs;
}
