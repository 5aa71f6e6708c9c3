import type { Metric, RunRecord, SuiteRecord, Verdict } from './report/record.js';

export const deliveryLimitMs = 100;

type Evidence = Pick<RunRecord, 'suites' | 'notChosen' | 'environment'>;

/** "go" only if every metric was measured and holds. */
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
    partial: holds && selection.result !== 'ok',
  };
}

const passed = ({ outcome }: SuiteRecord): boolean => outcome.kind === 'passed';
const names = (suites: readonly SuiteRecord[]): string => suites.map(({ name }) => name).join(', ');

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

function selectionMetric({ suites, notChosen }: Evidence): Metric {
  const total = suites.length + notChosen.length;
  return metric(
    'every suite chosen',
    `${String(suites.length)} of ${String(total)}`,
    `${String(total)} of ${String(total)}`,
    [],
    notChosen.length === 0 ? [] : [`not chosen: ${notChosen.join(', ')}`],
  );
}

function passedMetric({ suites }: Evidence): Metric {
  const didNotPass = suites.filter((suite) => !passed(suite));
  const failed = didNotPass.filter(
    ({ outcome }) => outcome.kind === 'failed' || outcome.kind === 'timed out',
  );
  const unknown = didNotPass.filter((suite) => !failed.includes(suite));
  return metric(
    'suites pass',
    `${String(suites.filter(passed).length)} of ${String(suites.length)}`,
    'all',
    failed.map(({ name, outcome }) => `${name} ${outcome.kind}`),
    unknown.map(({ name, outcome }) => `${name} ${outcome.kind}`),
  );
}

function memoryMetric({ suites, environment }: Evidence): Metric {
  const unknowns = suites.flatMap(({ name, memory }) => {
    if (!memory.measured) return [`${name}: ${memory.reason}`];
    return memory.value.gaps.map((gap) => `${name}: ${gap}`);
  });
  const peakMb = highest(suites.flatMap(({ memory }) => (memory.measured ? [memory.value.peakMb] : [])));
  const over = suites.filter(({ memory }) => memory.measured && memory.value.peakMb > environment.budgetMb);
  return metric(
    'memory within the budget',
    peakMb === undefined ? 'unknown' : `${peakMb.toFixed(0)} MiB`,
    `${String(environment.budgetMb)} MiB`,
    over.length === 0 ? [] : [`above it: ${names(over)}`],
    unknowns,
  );
}

function crashMetric({ suites }: Evidence): Metric {
  const crashes = suites.flatMap(({ name, crashes: found }) =>
    found.measured
      ? found.value.map((crash) => `${name}: ${crash.service} ${crash.kind} (${crash.evidence})`)
      : [],
  );
  const unknowns = suites.flatMap(({ name, crashes: found }) =>
    found.measured ? [] : [`${name}: ${found.reason}`],
  );
  return metric(
    'no crash, no OOM kill',
    unknowns.length === suites.length ? 'unknown' : String(crashes.length),
    '0',
    crashes,
    unknowns,
  );
}

function deliveryMetric({ suites }: Evidence): Metric {
  const measuring = suites.filter(({ measuresDelivery, latency }) => measuresDelivery || latency.measured);
  const p99Ms = highest(measuring.flatMap(({ latency }) => (latency.measured ? [latency.value.p99Ms] : [])));
  const slow = measuring.filter(({ latency }) => latency.measured && latency.value.p99Ms >= deliveryLimitMs);
  const unknowns = measuring.flatMap(({ name, latency }) =>
    latency.measured ? [] : [`${name}: ${latency.reason}`],
  );
  return metric(
    'event delivery, p99',
    p99Ms === undefined ? 'unknown' : `${p99Ms.toFixed(1)} ms`,
    `< ${String(deliveryLimitMs)} ms`,
    slow.length === 0 ? [] : [`at or above it: ${names(slow)}`],
    measuring.length === 0 ? ['no suite of this run records it'] : unknowns,
  );
}

function timeoutMetric({ suites }: Evidence): Metric {
  const late = suites.filter(({ outcome }) => outcome.kind === 'timed out');
  const unknown = suites.filter(
    ({ durations, outcome }) => durations.suiteMs === undefined || outcome.kind === 'interrupted',
  );
  const ran = suites.length - late.length - unknown.length;
  return metric(
    'suites inside their timeouts',
    `${String(ran)} of ${String(suites.length)}`,
    'all',
    late.map(({ name, timeoutMs }) => `${name} took more than ${String(timeoutMs / 1000)} s`),
    unknown.map(({ name }) => `${name} did not run to its end`),
  );
}

function destroyedMetric({ suites }: Evidence): Metric {
  const gone = suites.filter(
    ({ destruction }) => destruction.kind === 'destroyed' || destruction.kind === 'nothing made',
  );
  return metric(
    'everything destroyed',
    `${String(gone.length)} of ${String(suites.length)}`,
    'all',
    suites
      .filter((suite) => !gone.includes(suite))
      .map(({ name, destruction }) => `${name}: ${destruction.kind}`),
  );
}

const highest = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : Math.max(...values);
