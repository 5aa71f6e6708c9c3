import { countOfKills } from './oom.js';
import { describeCrash } from './report/crash.js';
import type { Crash, Latency, Metric, RunRecord, SuiteRecord, Verdict } from './report/record.js';

const deliveryLimitMs = 100;
/** From here on the 99th percentile leaves something out: with fewer events it is the slowest one. */
const fewestEvents = 100;
/** How far clocks may seem apart and still be one: readings are rounded, and what it hides is small beside the limit. */
const clockToleranceMs = 5;

export const crashMetricName = 'no crash, no OOM kill';

type Evidence = Pick<RunRecord, 'suites' | 'chosen' | 'notChosen' | 'environment' | 'users'>;

/** "go" only if every metric was measured and holds. Trusts no figure more than the types say: NaN is none. */
export function judgeRun(evidence: Evidence): Verdict {
  const selection = selectionMetric(evidence);
  const others = [
    passedMetric(evidence),
    memoryMetric(evidence),
    crashMetric(evidence),
    deliveryMetric(evidence),
    timeoutMetric(evidence),
    destroyedMetric(evidence),
  ];
  const holds = others.every(({ result }) => result === 'ok');
  return {
    decision: holds && selection.result === 'ok' ? 'go' : 'no-go',
    metrics: [selection, ...others],
    partial: holds && selection.result === 'not proven',
  };
}

/** By its own word and by each of its tests. */
function passed({ outcome, tests }: SuiteRecord): boolean {
  return outcome.kind === 'passed' && tests.length > 0 && tests.every(({ status }) => status === 'passed');
}

/** @param failures and unknowns in words; a failure outweighs what isn't known. */
function metric(
  name: string,
  figure: string,
  limit: string,
  failures: readonly string[],
  unknowns: readonly string[] = [],
): Metric {
  const result = failures.length > 0 ? 'failed' : unknowns.length > 0 ? 'not proven' : 'ok';
  return { name, figure, limit, result, reason: [...failures, ...unknowns].join('; ') };
}

function selectionMetric({ suites, chosen, notChosen }: Evidence): Metric {
  const total = chosen.length + notChosen.length;
  return metric(
    'every suite chosen',
    `${String(chosen.length)} of ${String(total)}`,
    `${String(total)} of ${String(total)}`,
    [...new Set([...chosen, ...suites.map(({ name }) => name)])].flatMap((name) => {
      const records = suites.filter((suite) => suite.name === name).length;
      if (!chosen.includes(name)) return [`${name} ran and was not chosen`];
      return records === 1 ? [] : [`${name} was chosen and has ${String(records)} records`];
    }),
    notChosen.length === 0 ? [] : [`not chosen: ${notChosen.join(', ')}`],
  );
}

function passedMetric({ suites }: Evidence): Metric {
  const didNotPass = suites.filter((suite) => !passed(suite));
  const inWords = ({ name, outcome }: SuiteRecord): string =>
    outcome.kind === 'passed' ? `${name} passed without its tests` : `${name} ${outcome.kind}`;
  const failed = didNotPass.filter(
    ({ outcome }) => outcome.kind === 'failed' || outcome.kind === 'timed out',
  );
  return metric(
    'suites pass',
    `${String(suites.filter(passed).length)} of ${String(suites.length)}`,
    'all',
    failed.map(inWords),
    didNotPass.filter((suite) => !failed.includes(suite)).map(inWords),
  );
}

function memoryMetric({ suites, environment }: Evidence): Metric {
  const peaks = suites.flatMap(({ name, memory }) =>
    memory.measured ? [{ name, peakMb: memory.value.peakMb }] : [],
  );
  const unknowns = suites.flatMap(({ name, memory }) => {
    if (!memory.measured) return [`${name}: ${memory.reason}`];
    const { gaps, services, peakMb } = memory.value;
    const figures = new Map(Object.entries(services).map(([service, own]) => [service, own.peakMb]));
    const unseen = Object.keys(environment.services).filter((service) => !isPositive(figures.get(service)));
    return [
      ...gaps,
      ...(unseen.length === 0 ? [] : [`no peak of ${unseen.join(', ')}`]),
      ...(isPositive(peakMb) ? [] : ['no peak of all together']),
    ].map((gap) => `${name}: ${gap}`);
  });
  const over = peaks.filter(({ peakMb }) => isNumber(peakMb) && !(peakMb <= environment.budgetMb));
  return metric(
    'memory within the budget',
    figure(
      peaks.map(({ peakMb }) => peakMb),
      (peakMb) => `${peakMb.toFixed(0)} MiB`,
    ),
    `${String(environment.budgetMb)} MiB`,
    over.length === 0 ? [] : [`above it: ${names(over)}`],
    unknowns,
  );
}

function crashMetric({ suites }: Evidence): Metric {
  const crashes = suites.flatMap((suite) =>
    [...(suite.crashes.measured ? suite.crashes.value : []), ...untoldKills(suite)].map(
      (crash) => `${suite.name}: ${crash.service} ${crash.kind} (${describeCrash(crash)})`,
    ),
  );
  const unknowns = suites.flatMap(({ name, crashes: found }) =>
    found.measured ? [] : [`${name}: ${found.reason}`],
  );
  return metric(
    crashMetricName,
    unknowns.length === suites.length && crashes.length === 0 ? 'unknown' : String(crashes.length),
    '0',
    crashes,
    unknowns,
  );
}

/** What only the kernel tells, when the engine didn't, or couldn't be heard. */
function untoldKills({ crashes, memory }: SuiteRecord): Crash[] {
  const told = crashes.measured
    ? crashes.value.filter(({ kind }) => kind === 'oom' || kind === 'host oom')
    : [];
  return Object.entries(memory.measured ? memory.value.services : {}).flatMap(
    ([service, { oomKills = 0 }]): Crash[] =>
      oomKills === 0 || told.some((crash) => crash.service === service)
        ? []
        : [{ service, kind: 'oom', evidence: countOfKills(oomKills) }],
  );
}

function deliveryMetric({ suites, users }: Evidence): Metric {
  const measuring = suites.filter(({ measuresDelivery, latency }) => measuresDelivery || latency.measured);
  const p99s = measuring.flatMap(({ name, latency }) =>
    latency.measured ? [{ name, ...latency.value }] : [],
  );
  const slow = p99s.filter(
    (latency) => latency.p99Ms >= deliveryLimitMs && stallsToBlame(latency) === undefined,
  );
  const unknowns = measuring.flatMap((suite) =>
    doubtsOfDelivery(suite, users).map((doubt) => `${suite.name}: ${doubt}`),
  );
  return metric(
    'event delivery, p99',
    figure(
      p99s.map(({ p99Ms }) => p99Ms),
      (p99Ms) => `${p99Ms.toFixed(1)} ms`,
    ),
    `< ${String(deliveryLimitMs)} ms`,
    slow.length === 0 ? [] : [`at or above it: ${names(slow)}`],
    measuring.length === 0 ? ['no suite of this run records it'] : unknowns,
  );
}

/** The suite's own stalls, where the events are late by nothing else. */
function stallsToBlame({ p99Ms, stalls }: Latency): Latency['stalls'] {
  if (stalls === undefined || !(p99Ms >= deliveryLimitMs)) return undefined;
  return stalls.p99WithoutMs < deliveryLimitMs ? stalls : undefined;
}

/** Why a suite's latencies, if it has any, prove nothing. */
function doubtsOfDelivery({ latency, clock }: SuiteRecord, users: number): string[] {
  if (!latency.measured) return [latency.reason];
  const { count, users: seen, p99Ms } = latency.value;
  const stalls = stallsToBlame(latency.value);
  const doubts: string[] = [];
  if (!isNumber(p99Ms)) doubts.push('the 99th percentile is no number');
  if (stalls !== undefined) {
    doubts.push(
      `${p99Ms.toFixed(1)} ms, but ${stalls.p99WithoutMs.toFixed(1)} ms without the times in which the suite itself ` +
        `stood still, up to ${stalls.longestMs.toFixed(0)} ms: the machine was too busy to tell`,
    );
  }
  if (!(count >= fewestEvents)) {
    doubts.push(
      `${String(count)} events are too few for a 99th percentile, ${String(fewestEvents)} are enough`,
    );
  }
  if (!(seen >= users)) doubts.push(`events of ${String(seen)} of ${String(users)} users`);
  if (!clock.measured) return [...doubts, `the clocks weren't compared: ${clock.reason}`];
  const { engineAheadMs, setByMs, host } = clock.value;
  if (host === undefined && !(engineAheadMs <= clockToleranceMs)) {
    doubts.push(`the engine's clock was ${engineAheadMs.toFixed(0)} ms ahead of ours`);
  }
  // What is above the limit anyway has failed, whatever the clocks are.
  if (host !== undefined && !(p99Ms + host.uncertaintyMs < deliveryLimitMs) && p99Ms < deliveryLimitMs) {
    doubts.push(
      `the host's clock is known to within ${host.uncertaintyMs.toFixed(1)} ms only, which may hide a p99 of ${deliveryLimitMs} ms`,
    );
  }
  if (!(setByMs <= clockToleranceMs)) doubts.push(`our clock was set by ${setByMs.toFixed(0)} ms meanwhile`);
  return doubts;
}

function timeoutMetric({ suites }: Evidence): Metric {
  const ended = ({ outcome }: SuiteRecord): boolean => outcome.kind === 'passed' || outcome.kind === 'failed';
  const late = suites.filter(
    ({ outcome, durations: { suiteMs }, timeoutMs }) =>
      outcome.kind === 'timed out' || (suiteMs !== undefined && suiteMs > timeoutMs),
  );
  const inside = suites.filter(
    (suite) => ended(suite) && !late.includes(suite) && isPositive(suite.durations.suiteMs),
  );
  const unknown = suites.filter((suite) => !late.includes(suite) && !inside.includes(suite));
  return metric(
    'suites inside their timeouts',
    `${String(inside.length)} of ${String(suites.length)}`,
    'all',
    late.map(({ name, timeoutMs }) => `${name} took more than ${String(timeoutMs / 1000)} s`),
    unknown.map((suite) =>
      ended(suite) ? `${suite.name}: nobody knows how long it took` : `${suite.name} did not run to its end`,
    ),
  );
}

function destroyedMetric({ suites }: Evidence): Metric {
  // A suite that ran had an environment, whatever its record says.
  const gone = ({ destruction, durations }: SuiteRecord): boolean =>
    destruction.kind === 'destroyed' ||
    (destruction.kind === 'nothing made' && durations.upMs === undefined && durations.suiteMs === undefined);
  return metric(
    'everything destroyed',
    `${String(suites.filter(gone).length)} of ${String(suites.length)}`,
    'all',
    suites.filter((suite) => !gone(suite)).map(({ name, destruction }) => `${name}: ${destruction.kind}`),
  );
}

const names = (suites: readonly { name: string }[]): string => suites.map(({ name }) => name).join(', ');
const isNumber = (value: number | undefined): value is number => Number.isFinite(value);
const isPositive = (value: number | undefined): boolean => isNumber(value) && value > 0;

/** The highest, in words. */
function figure(values: readonly number[], inWords: (value: number) => string): string {
  const known = values.filter(isNumber);
  return known.length === 0 ? 'unknown' : inWords(Math.max(...known));
}
