import { usableMb } from '../components/hosts/instance-types.js';
import { hostReserveMb, memoryTable } from '../components/sizing.js';
import { describeTarget } from '../engine/ssh/target.js';
import { costAtMostUsd, dollars, priceNote, type AwsPlan } from './cost.js';
import type { Plan } from './plan.js';

/** What a run would do, in plain text. */
export function planReport(plan: Plan): string {
  const { environment, suites, settings, together, jobs, ttlMinutes } = plan;
  const names = suites.map(({ name, timeoutMs }) => `  ${name}, at most ${String(timeoutMs / 60_000)} min`);
  return [
    `Settings: ${settings.source}; profile ${environment.profile}, the LLM is ${plan.llm}`,
    [
      `Suites, ${together ? 'all at once in one environment' : `each in an environment of its own, ${jobs === 1 ? 'one after the other' : `at once: ${String(jobs)}`}`}:`,
      ...names,
    ].join('\n'),
    `Time to live of an environment: ${String(ttlMinutes)} min`,
    memoryTable(environment),
    ...hostLines(plan),
  ].join('\n\n');
}

function hostLines({ aws, target, ...plan }: Plan): string[] {
  if (aws === undefined) {
    const where =
      target === undefined ? "the Docker Engine of this machine's context" : describeTarget(target);
    return [`Host: ${where}; it needs Σ(limits) and ${String(hostReserveMb)} MiB for itself`];
  }
  return [instanceLine(aws), costLine({ ...plan, aws })];
}

function instanceLine({ type, volumeGb, region, spot }: AwsPlan): string {
  return (
    `Host: an EC2 instance in ${region} for each environment: ${type.name}, ${type.architecture}, ` +
    `${String(type.vcpus)} vCPUs, ${String(type.memoryMb)} MiB (at least ${String(usableMb(type))} of them to use, ` +
    `${String(hostReserveMb)} MiB for itself), ${String(volumeGb)} GB gp3, ${spot ? 'spot' : 'on demand'}`
  );
}

/** Said before anything that costs is made. */
export function costLine(plan: Pick<Plan, 'suites' | 'together'> & { aws: AwsPlan }): string {
  const { instances, usd } = costAtMostUsd(plan);
  const count = instances === 1 ? '1 instance' : `${String(instances)} instances`;
  return (
    `Cost: at most ${dollars(usd)} for ${count} of type ${plan.aws.type.name}, ` +
    `if each suite takes all of its time (${priceNote(plan.aws)})`
  );
}
