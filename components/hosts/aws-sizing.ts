import type { EnvironmentSpec } from '../config.js';
import { hostReserveMb } from '../sizing.js';
import { chooseInstanceType, priceList, type InstanceType } from './instance-types.js';
import type { AwsHost } from './settings.js';

/** What an environment's instance is to be. */
export interface AwsSize {
  type: InstanceType;
  volumeGb: number;
}

/** The operating system, the Docker Engine and its download. */
const systemGb = 8;
/** Those of this repository take 1.5 GB unpacked; they are there packed and unpacked while they arrive. */
const imagesGb = 12;
/** The least that the suites were seen to pass with. */
const leastVcpus = 2;

/**
 * The smallest instance that holds the environment and what its host keeps for itself.
 * @returns everything that is wrong when there is none.
 */
export function sizeAwsHost(
  spec: EnvironmentSpec,
  settings: AwsHost,
): { size: AwsSize } | { problems: string[] } {
  const { architecture, instanceTypes: types } = settings;
  const choice = chooseInstanceType({
    memoryMb: spec.memoryMb + hostReserveMb,
    vcpus: settings.vcpus ?? Math.max(leastVcpus, spec.workers),
    architecture,
    ...(types === undefined ? {} : { types }),
  });
  if ('problems' in choice) return choice;
  return { size: { type: choice.chosen, volumeGb: settings.volumeGb ?? neededGb(spec) } };
}

/** What the stores write is more than what they keep in memory: journals, and merges before the old part goes. */
function neededGb({ services: { postgres, redis, clickhouse } }: EnvironmentSpec): number {
  const storesMb = postgres.memoryMb + redis.memoryMb + clickhouse.memoryMb;
  return systemGb + imagesGb + Math.ceil((2 * storesMb) / 1024);
}

const hoursPerMonth = 730;
/** EC2 charges by the second, and at least for so many. */
const leastSeconds = 60;

/** List price of one instance with its volume and its public address; a spot instance costs at most that. */
export function awsCostUsd({ type, volumeGb }: AwsSize, seconds: number): number {
  const perHour =
    type.usdPerHour +
    priceList.addressUsdPerHour +
    (volumeGb * priceList.storageUsdPerGbMonth) / hoursPerMonth;
  return (perHour * Math.max(seconds, leastSeconds)) / 3600;
}
