import { describeCrash } from './report/crash.js';
import type { Crash, LastLines, Measured, Outcome, Phase } from './report/record.js';
import { firstSaid, type ServiceLog } from './service-log.js';

/**
 * A line that says that a disk was full: in the words of the system, which PostgreSQL, Redis, nginx and ClickHouse
 * quote, of Node and of ClickHouse.
 */
export const fullDiskLine = /No space left on device|\bENOSPC\b|\bNOT_ENOUGH_SPACE\b/;

/** The services whose disk was full, each once, by the line in which they said so. */
export function findFullDisks(logs: readonly ServiceLog[]): Crash[] {
  return logs.flatMap((log): Crash[] => {
    const found = firstSaid(log, fullDiskLine);
    if (found === undefined) return [];
    const { said, ...when } = found;
    return [{ service: log.service, kind: 'disk full', ...when, evidence: `its log says: ${said}` }];
  });
}

/** In the order of time; what has no time of its own was found last. */
export function inOrder(crashes: readonly Crash[]): Crash[] {
  const timeOf = ({ at }: Crash): number => (at === undefined ? Number.MAX_VALUE : Date.parse(at));
  return crashes.toSorted((one, other) => timeOf(one) - timeOf(other));
}

/** What a service may survive: it has ended only if there is an exit code. */
const survivable: readonly Crash['kind'][] = ['oom', 'host oom', 'exhausted', 'disk full'];

/** After it the service does its work no more. */
const ends = ({ kind, exitCode }: Crash): boolean => !survivable.includes(kind) || exitCode !== undefined;

/** Done to a service from outside its container. */
const fromOutside: readonly Crash['kind'][] = ['killed', 'paused', 'cut off', 'host oom'];

/**
 * What faults of the environment, in the order of time, make of the suite: the first one counts. A service that dies or fails its
 * health check under a suite's load is a finding about the application and its limits: the suite has `failed`.
 * One that was killed, paused or cut off, or whose host had no memory left, says nothing about the application, and
 * before the suite runs there is no load: the harness has `errored`. Undefined when no service stopped doing its work.
 */
export function outcomeOfFault(
  phase: Phase,
  crashes: readonly Crash[],
  logs: readonly ServiceLog[],
): Outcome | undefined {
  const [first] = crashes.filter(ends);
  if (first === undefined) return undefined;
  const message = [
    ...crashes.map(headline),
    ...[...new Set(crashes.map(({ service }) => service))].map((service) => quote(service, logs)),
  ].join('\n');
  return phase === 'suite' && !fromOutside.includes(first.kind)
    ? { kind: 'failed', reason: message }
    : { kind: 'errored', phase, message };
}

const headline = (crash: Crash): string =>
  `${crash.service} ${crash.kind}${crash.at === undefined ? '' : ` at ${crash.at}`}: ${describeCrash(crash)}`;

function quote(service: string, logs: readonly ServiceLog[]): string {
  const lines = logs.find((candidate) => candidate.service === service)?.last ?? [];
  const quoted = lines.length === 0 ? ['(none)'] : lines;
  return [`last log lines of ${service}:`, ...quoted.map((line) => `  ${line}`)].join('\n');
}

/** The end of every service's log, unless there is nothing to explain. */
export function lastLinesOf(
  outcome: Outcome,
  { crashes, logs }: { crashes: Measured<readonly Crash[]>; logs: readonly ServiceLog[] },
): LastLines[] {
  const allIsWell = outcome.kind === 'passed' && crashes.measured && crashes.value.length === 0;
  return allIsWell ? [] : logs.map(({ service, last }) => ({ service, lines: [...last] }));
}
