import type { ServiceName } from '../../../components/services.js';
import type { Crash, RunRecord, SuiteRecord } from '../../../runners/report/record.js';
import { judgeRun } from '../../../runners/verdict.js';
import type { Harm } from './harms.js';

/** What was done to one service in one suite's environment. */
export interface Harmed {
  suite: string;
  service: ServiceName;
  harm: Pick<Harm, 'kind' | 'ends' | 'kills'>;
}

/** What a run's record says of it. */
export interface Finding {
  /** What isn't said, or is and shouldn't be, in words. */
  problems: string[];
  /** What it calls it. */
  named: string;
  limitMb?: number;
  peakMb?: number;
  /** From the engine's event to the suite's end. */
  endedAfterMs?: number;
}

const outOfMemory: readonly Crash['kind'][] = ['oom', 'exhausted', 'host oom'];

export function findingOf({ suite, service, harm }: Harmed, record: RunRecord): Finding {
  const found = record.suites.find(({ name }) => name === suite);
  if (found === undefined) return { problems: ['the record lacks the suite'], named: '-' };
  const crashes = found.crashes.measured ? found.crashes.value : [];
  const own = crashes.find((crash) => crash.service === service && crash.kind === harm.kind);
  const { limitMb, peakMb } = own?.memory ?? {};
  return {
    problems: [
      ...(own === undefined ? [`it isn't named: ${inWords(found)}`] : problemsOfCrash(own, harm, record)),
      ...problemsOfOthers(crashes, own),
      ...problemsOfEnd(found, service, harm),
      ...problemsOfVerdict(found, record, `${suite}: ${service} ${harm.kind}`),
      ...problemsOfDiagnosis(found, record, harm),
      ...(found.destruction.kind === 'destroyed' ? [] : [`destroyed: ${found.destruction.kind}`]),
    ],
    named: own === undefined ? '-' : `${own.service} ${own.kind}`,
    ...(limitMb === undefined ? {} : { limitMb }),
    ...(peakMb === undefined ? {} : { peakMb }),
    ...(found.fault === undefined ? {} : { endedAfterMs: found.fault.endedAfterMs }),
  };
}

const inWords = ({ crashes, outcome }: SuiteRecord): string =>
  crashes.measured
    ? `${crashes.value.map(({ service, kind }) => `${service} ${kind}`).join(', ') || 'nothing'} is, ${JSON.stringify(outcome)}`
    : crashes.reason;

function problemsOfCrash(
  { service, kind, exitCode, memory }: Crash,
  { ends }: Harmed['harm'],
  { environment }: RunRecord,
): string[] {
  const problems: string[] = [];
  if (ends !== (exitCode !== undefined) && kind !== 'unhealthy') {
    problems.push(`its exit code is ${String(exitCode)}`);
  }
  const limitMb = environment.services[service as ServiceName];
  if (memory?.limitMb !== limitMb)
    problems.push(`its limit is ${String(memory?.limitMb)}, not ${String(limitMb)}`);
  if (!((memory?.peakMb ?? 0) > 0)) problems.push('it has no peak');
  return problems;
}

/** Others may suffer by it, but nobody else met a limit. */
const problemsOfOthers = (crashes: readonly Crash[], own: Crash | undefined): string[] =>
  crashes
    .filter((crash) => crash !== own && outOfMemory.includes(crash.kind))
    .map(({ service, kind, evidence }) => `${service} is named ${kind}: ${evidence}`);

function problemsOfEnd(
  { outcome, fault, memory }: SuiteRecord,
  service: ServiceName,
  { kind, ends, kills }: Harmed['harm'],
): string[] {
  const problems: string[] = [];
  // What was done through the engine was no fair try.
  const expected = !ends ? 'passed' : kind === 'killed' ? 'errored' : 'failed';
  if (outcome.kind !== expected) problems.push(`the suite ${outcome.kind} instead of ${expected}`);
  if (fault?.service !== (ends ? service : undefined))
    problems.push(`the fault is ${fault?.service ?? 'none'}`);
  const counted = memory.measured ? memory.value.services[service]?.oomKills : undefined;
  // A container that has ended may take its counter with it.
  if (!ends && !((counted ?? 0) >= kills)) {
    problems.push(`${String(counted)} kills were counted instead of ${String(kills)}`);
  }
  return problems;
}

/** @param named what the verdict's metric has to say, were this suite all there is. */
function problemsOfVerdict(suite: SuiteRecord, record: RunRecord, named: string): string[] {
  const { decision, metrics } = judgeRun({ ...record, suites: [suite], chosen: [suite.name] });
  const reasons = metrics.filter(({ result }) => result === 'failed').map(({ reason }) => reason);
  return [
    ...(decision === 'no-go' ? [] : ['the verdict is go']),
    ...(record.verdict.decision === 'no-go' ? [] : ["the run's verdict is go"]),
    ...(reasons.some((reason) => reason.includes(named)) ? [] : [`the verdict doesn't say "${named}"`]),
  ];
}

function problemsOfDiagnosis(
  { name }: SuiteRecord,
  { diagnosis }: RunRecord,
  { kind }: Harmed['harm'],
): string[] {
  const chain = diagnosis.filter(({ suite }) => suite === name).flatMap((each) => each.chain);
  if (chain.length === 0) return ['it has no diagnosis'];
  const told = chain.some(({ rule }) => rule === 'oom-kill');
  if (told === (kind === 'oom')) return [];
  return [told ? 'the diagnosis tells of an OOM kill' : 'the diagnosis tells of no OOM kill'];
}
