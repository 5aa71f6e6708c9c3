import type { Rows } from '../../runners/report/content.js';
import type { Crash, RunRecord } from '../../runners/report/record.js';

/** The memory that the stack has after the incident, as its report says. */
export const allowedMb = 14 * 1024;

const culprit = 'backend';
const deliveryMetric = 'event delivery, p99';

const crashesOf = ({ suites }: RunRecord): Crash[] =>
  suites.flatMap(({ crashes }) => (crashes.measured ? crashes.value : []));

/** What isn't as it was in the incident, in words; empty when everything is. */
export function problemsOfIncident(record: RunRecord): string[] {
  const { suites, verdict } = record;
  const killed = crashesOf(record).some(({ service, kind }) => service === culprit && kind === 'oom');
  const failed = suites.filter(({ outcome }) => outcome.kind === 'failed');
  const unexplained = failed.filter(
    ({ name }) => record.diagnosis.find(({ suite }) => suite === name)?.conclusion.kind !== 'explained',
  );
  return [
    ...(verdict.decision === 'no-go' ? [] : ['the verdict is "go"']),
    ...(killed ? [] : [`the kernel killed nothing in ${culprit}`]),
    ...(failed.length > 0 ? [] : ['no suite failed']),
    ...unexplained.map(({ name }) => `${name} failed, and the diagnosis doesn't say why`),
  ];
}

/** What isn't as it should be with the recommendation applied, the events' delivery apart. */
export function problemsOfRemedy({ verdict, environment }: RunRecord): string[] {
  return [
    ...(environment.limitMb <= allowedMb
      ? []
      : [`the limits add up to ${String(environment.limitMb)} MiB, ${String(allowedMb)} MiB are allowed`]),
    ...verdict.metrics
      .filter(({ name, result }) => result !== 'ok' && name !== deliveryMetric)
      .map(({ name, result, reason }) => `${name}: ${result}, ${reason}`),
  ];
}

/** How slow the events were, if that alone keeps the run from being a "go". */
export function slowDelivery({ verdict }: RunRecord): string | undefined {
  const broken = verdict.metrics.filter(({ result }) => result !== 'ok');
  return broken.find(({ name }) => name === deliveryMetric)?.reason;
}

/** The two acts side by side. */
export function incidentRows(before: RunRecord, after: RunRecord): Rows {
  const row = (name: string, figureOf: (record: RunRecord) => string): string[] => [
    name,
    figureOf(before),
    figureOf(after),
  ];
  return {
    head: ['five suites at once, one environment', 'as it was', 'as recommended'],
    rows: [
      row(`limit of ${culprit}, MiB`, ({ environment }) => String(environment.services[culprit])),
      row('Σ(limits), MiB', ({ environment }) => String(environment.limitMb)),
      row(
        `peak of ${culprit}, MiB`,
        peakOf(({ services }) => services[culprit]?.peakMb),
      ),
      row(
        'peak of all services, MiB',
        peakOf(({ peakMb }) => peakMb),
      ),
      row(
        `OOM kills in ${culprit}`,
        peakOf(({ services }) => services[culprit]?.oomKills ?? 0),
      ),
      row('suites passed', ({ suites }) => {
        const passed = suites.filter(({ outcome }) => outcome.kind === 'passed');
        return `${String(passed.length)} of ${String(suites.length)}`;
      }),
      row('event delivery, p99, ms', ({ suites }) =>
        figure(suites.map(({ latency }) => (latency.measured ? latency.value.p99Ms : undefined))),
      ),
      row('verdict', ({ verdict }) => verdict.decision),
    ],
  };
}

type Memory = Extract<RunRecord['suites'][number]['memory'], { measured: true }>['value'];

const peakOf =
  (figureOf: (memory: Memory) => number | undefined) =>
  ({ suites }: RunRecord): string =>
    figure(suites.map(({ memory }) => (memory.measured ? figureOf(memory.value) : undefined)));

/** The highest, of those that there are. */
function figure(values: readonly (number | undefined)[]): string {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? '?' : Math.max(...known).toFixed(0);
}
