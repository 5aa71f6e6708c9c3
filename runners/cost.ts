import { awsCostUsd, type AwsSize } from '../components/hosts/aws-sizing.js';
import { priceList } from '../components/hosts/instance-types.js';
import type { RunRecord, SuiteRecord } from './report/record.js';
import type { Suite } from './suites.js';

/** The instances that a run makes for itself. */
export interface AwsPlan extends AwsSize {
  region: string;
  spot: boolean;
}

/** What of a plan its cost depends on. */
interface Costly {
  suites: readonly Pick<Suite, 'timeoutMs'>[];
  together: boolean;
  aws: AwsPlan;
}

/** The most that an instance's start, first boot and images are waited for, and what its end takes. */
export const awsRoundTripMinutes = 20;

/** What a run costs at most: each suite takes all the time that it may, and so does its instance's start. */
export function costAtMostUsd({ suites, together, aws }: Costly): { instances: number; usd: number } {
  const seconds = suites.map(({ timeoutMs }) => awsRoundTripMinutes * 60 + timeoutMs / 1000);
  const each = together ? [Math.max(...seconds)] : seconds;
  return { instances: each.length, usd: sumOf(each.map((time) => awsCostUsd(aws, time))) };
}

/** For the record: what was estimated before, and what the run's own times come to. */
export function costOf(plan: Costly, suites: readonly SuiteRecord[]): NonNullable<RunRecord['cost']> {
  const { type, volumeGb, region, spot } = plan.aws;
  const seconds = suites.map(({ durations: { upMs = 0, turnWaitMs = 0, suiteMs = 0, destroyMs = 0 } }) =>
    upMs === 0 ? 0 : (upMs + turnWaitMs + suiteMs + destroyMs) / 1000,
  );
  const each = plan.together ? [Math.max(...seconds)] : seconds;
  const used = each.filter((time) => time > 0);
  return {
    instanceType: type.name,
    vcpus: type.vcpus,
    memoryMb: type.memoryMb,
    volumeGb,
    region,
    spot,
    prices: `${priceList.region}, ${priceList.date}`,
    atMostUsd: costAtMostUsd(plan).usd,
    usd: sumOf(used.map((time) => awsCostUsd(plan.aws, time))),
  };
}

const sumOf = (figures: readonly number[]): number => figures.reduce((sum, figure) => sum + figure, 0);

/** Cents, and what is less than one as such. */
export const dollars = (usd: number): string => `$${usd < 0.1 ? usd.toFixed(4) : usd.toFixed(2)}`;

/** What the figures hold for. */
export const priceNote = (
  { spot, region }: { spot: boolean; region: string },
  prices = `${priceList.region}, ${priceList.date}`,
): string =>
  `on-demand list prices of ${prices}, with volume and public address, without tax or data transfer` +
  (region === priceList.region ? '' : `; ${region} has prices of its own`) +
  (spot ? '; spot instances cost at most that' : '');
