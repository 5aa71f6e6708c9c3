import type { Architecture } from './settings.js';

/** An EC2 instance type that an environment may run on. */
export interface InstanceType {
  name: string;
  architecture: Architecture;
  vcpus: number;
  /** As AWS states it. What Linux has of it is less, see `usableMb`. */
  memoryMb: number;
  /** On demand, Linux. */
  usdPerHour: number;
}

/**
 * Where and when the prices hold: AWS's list prices without tax or discount, as its price list API gave them to
 * karpenter-provider-aws (pkg/providers/pricing/zz_generated.pricing_aws.go). They differ by region and change.
 */
export const priceList = {
  region: 'us-east-1',
  date: '2026-01-19',
  source: "AWS's price list API, as published by karpenter-provider-aws",
  /** Amazon EBS, gp3 with its 3000 IOPS and 125 MiB/s. */
  storageUsdPerGbMonth: 0.08,
  /** A public IPv4 address in use. */
  addressUsdPerHour: 0.005,
} as const;

/** Name, vCPUs, GiB, USD per hour. */
type Row = readonly [name: string, vcpus: number, memoryGb: number, usdPerHour: number];

/**
 * Compute, general purpose and memory optimised: 2, 4 and 8 GiB per vCPU. Burstable types (t3, t4g) aren't among
 * them: under a suite's load their CPU is throttled, or costs more than the list price.
 */
const rows: Readonly<Record<Architecture, readonly Row[]>> = {
  x86_64: [
    ['c7i.large', 2, 4, 0.08925],
    ['c7i.xlarge', 4, 8, 0.1785],
    ['c7i.2xlarge', 8, 16, 0.357],
    ['c7i.4xlarge', 16, 32, 0.714],
    ['c7i.8xlarge', 32, 64, 1.428],
    ['c7i.12xlarge', 48, 96, 2.142],
    ['c7i.16xlarge', 64, 128, 2.856],
    ['c7i.24xlarge', 96, 192, 4.284],
    ['c7i.48xlarge', 192, 384, 8.568],
    ['m7i.large', 2, 8, 0.1008],
    ['m7i.xlarge', 4, 16, 0.2016],
    ['m7i.2xlarge', 8, 32, 0.4032],
    ['m7i.4xlarge', 16, 64, 0.8064],
    ['m7i.8xlarge', 32, 128, 1.6128],
    ['m7i.12xlarge', 48, 192, 2.4192],
    ['m7i.16xlarge', 64, 256, 3.2256],
    ['m7i.24xlarge', 96, 384, 4.8384],
    ['m7i.48xlarge', 192, 768, 9.6768],
    ['r7i.large', 2, 16, 0.1323],
    ['r7i.xlarge', 4, 32, 0.2646],
    ['r7i.2xlarge', 8, 64, 0.5292],
    ['r7i.4xlarge', 16, 128, 1.0584],
    ['r7i.8xlarge', 32, 256, 2.1168],
    ['r7i.12xlarge', 48, 384, 3.1752],
    ['r7i.16xlarge', 64, 512, 4.2336],
    ['r7i.24xlarge', 96, 768, 6.3504],
    ['r7i.48xlarge', 192, 1536, 12.7008],
  ],
  arm64: [
    ['c7g.large', 2, 4, 0.0725],
    ['c7g.xlarge', 4, 8, 0.145],
    ['c7g.2xlarge', 8, 16, 0.29],
    ['c7g.4xlarge', 16, 32, 0.58],
    ['c7g.8xlarge', 32, 64, 1.16],
    ['c7g.12xlarge', 48, 96, 1.74],
    ['c7g.16xlarge', 64, 128, 2.32],
    ['m7g.large', 2, 8, 0.0816],
    ['m7g.xlarge', 4, 16, 0.1632],
    ['m7g.2xlarge', 8, 32, 0.3264],
    ['m7g.4xlarge', 16, 64, 0.6528],
    ['m7g.8xlarge', 32, 128, 1.3056],
    ['m7g.12xlarge', 48, 192, 1.9584],
    ['m7g.16xlarge', 64, 256, 2.6112],
    ['r7g.large', 2, 16, 0.1071],
    ['r7g.xlarge', 4, 32, 0.2142],
    ['r7g.2xlarge', 8, 64, 0.4284],
    ['r7g.4xlarge', 16, 128, 0.8568],
    ['r7g.8xlarge', 32, 256, 1.7136],
    ['r7g.12xlarge', 48, 384, 2.5704],
    ['r7g.16xlarge', 64, 512, 3.4272],
  ],
};

/** Every type to choose from. */
export const instanceTypes: readonly InstanceType[] = Object.freeze(
  (Object.entries(rows) as [Architecture, readonly Row[]][]).flatMap(([architecture, list]) =>
    list.map(([name, vcpus, memoryGb, usdPerHour]) =>
      Object.freeze({ name, architecture, vcpus, memoryMb: memoryGb * 1024, usdPerHour }),
    ),
  ),
);

/**
 * Of the memory that AWS states, firmware, hypervisor and kernel keep a part to themselves. Karpenter reckons with
 * the same 7.5 % for all types by default (VM_MEMORY_OVERHEAD_PERCENT).
 */
const memoryOverhead = 0.075;

/** What the host's own MemTotal will be at least, in MiB. */
export const usableMb = ({ memoryMb }: InstanceType): number => Math.floor(memoryMb * (1 - memoryOverhead));

export interface InstanceNeeds {
  /** Σ(limits) and what the host keeps for itself. */
  memoryMb: number;
  vcpus: number;
  architecture: Architecture;
  /** The types to choose from, instead of all. */
  types?: readonly string[];
}

/**
 * The type with the least memory that holds what is needed; of several such the cheapest.
 * @returns everything that is wrong with the wishes when there is none.
 */
export function chooseInstanceType(needs: InstanceNeeds): { chosen: InstanceType } | { problems: string[] } {
  const { memoryMb, vcpus, architecture, types } = needs;
  const problems = (types ?? []).flatMap((name) => nameProblems(name, architecture));
  if (problems.length > 0) return { problems };
  const candidates = instanceTypes
    .filter((type) => (types === undefined ? type.architecture === architecture : types.includes(type.name)))
    .sort((a, b) => a.memoryMb - b.memoryMb || a.usdPerHour - b.usdPerHour);
  const chosen = candidates.find((type) => usableMb(type) >= memoryMb && type.vcpus >= vcpus);
  if (chosen !== undefined) return { chosen };
  const largest = candidates.at(-1) as InstanceType;
  const choice = types === undefined ? `the ${architecture} types` : types.join(', ');
  return {
    problems: [
      usableMb(largest) < memoryMb
        ? `${memoryMb} MiB are needed, Σ(limits) and what the host keeps for itself, the largest of ${choice}, ${largest.name}, has ${usableMb(largest)} MiB ` +
          `(of ${largest.memoryMb} MiB, less what firmware and kernel keep): lower limits${types === undefined ? '' : ', or name larger types in rehearsal:host.instanceTypes'}`
        : `${memoryMb} MiB and ${vcpus} vCPUs are needed: none of ${choice} has both`,
    ],
  };
}

function nameProblems(name: string, architecture: Architecture): string[] {
  const known = instanceTypes.find((type) => type.name === name);
  if (known === undefined) {
    const names = instanceTypes.filter((type) => type.architecture === architecture).map((type) => type.name);
    return [
      `rehearsal:host.instanceTypes has ${name}, which the table doesn't know: allowed are ${names.join(', ')}`,
    ];
  }
  if (known.architecture === architecture) return [];
  return [
    `rehearsal:host.instanceTypes has ${name}, which is ${known.architecture}: rehearsal:host.architecture is ${architecture}`,
  ];
}
