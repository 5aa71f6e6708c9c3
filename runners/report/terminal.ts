import Table from 'cli-table3';
import { serviceNames } from '../../components/services.js';
import type { Metric, Outcome, RunRecord, SuiteRecord, TestResult } from './record.js';

/** The run's summary as plain text: no colours, the verdict last. */
export function terminalReport(record: RunRecord, folder: string): string {
  return [
    heading(record),
    suiteTable(record.suites),
    memoryTable(record),
    ...details(record.suites),
    metricTable(record.verdict.metrics),
    verdictLine(record),
    `Artifacts: ${folder}`,
  ].join('\n\n');
}

function heading({ runId, branch, users, environment, host }: RunRecord): string {
  const llm = environment.llm === 'stand-in' ? 'a scripted stand-in' : 'an external server';
  return (
    `Run ${runId} of branch ${branch}: profile ${environment.profile}, ${String(users)} concurrent users, the LLM is ${llm}\n` +
    `Docker Engine ${host.engineVersion}, ${host.operatingSystem}, ${String(host.cpus)} CPUs, ${String(host.memoryMb)} MiB`
  );
}

/** No colours, which a pipe can't show, and no line between rows. */
const plain = {
  style: { head: [], border: [] },
  chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
};

function table(head: string[], rows: string[][]): string {
  const numbers = head.slice(1).map(() => 'right' as const);
  const made = new Table({ head, colAligns: ['left', ...numbers], ...plain });
  made.push(...rows);
  return made.toString();
}

function suiteTable(suites: readonly SuiteRecord[]): string {
  const head = [
    'suite',
    'outcome',
    'tests',
    'up s',
    'suite s',
    'destroy s',
    'total s',
    'peak MiB',
    'events',
    'p50 ms',
    'p99 ms',
    'max ms',
  ];
  return table(
    head,
    suites.map(({ name, outcome, tests, durations, memory, latency }) => [
      name,
      outcome.kind,
      `${String(tests.filter(({ status }) => status === 'passed').length)}/${String(tests.length)}`,
      seconds(durations.upMs),
      seconds(durations.suiteMs),
      seconds(durations.destroyMs),
      seconds(durations.totalMs),
      memory.measured ? memory.value.peakMb.toFixed(0) : '?',
      ...(latency.measured
        ? [
            String(latency.value.count),
            latency.value.p50Ms.toFixed(1),
            latency.value.p99Ms.toFixed(1),
            latency.value.maxMs.toFixed(1),
          ]
        : ['?', '?', '?', '?']),
    ]),
  );
}

const seconds = (ms: number | undefined): string => (ms === undefined ? '-' : (ms / 1000).toFixed(1));

function memoryTable({ suites, environment }: RunRecord): string {
  const rows = serviceNames.map((service) => {
    const measured = suites.flatMap(({ memory }) =>
      memory.measured ? (memory.value.services[service] ?? []) : [],
    );
    const kernel = measured.flatMap(({ kernelPeakMb }) => kernelPeakMb ?? []);
    return [
      service,
      measured.length === 0 ? '?' : Math.max(...measured.map(({ peakMb }) => peakMb)).toFixed(0),
      kernel.length === 0 ? '?' : Math.max(...kernel).toFixed(0),
      String(environment.services[service]),
    ];
  });
  return table(['service', 'peak MiB', 'with page cache', 'limit MiB'], rows);
}

const longestDetail = 4_000;

/** What didn't go well, suite by suite. */
function details(suites: readonly SuiteRecord[]): string[] {
  return suites.flatMap((suite) => {
    const lines = [
      ...explain(suite.outcome, suite.tests),
      ...(suite.crashes.measured
        ? suite.crashes.value.map(({ service, kind, evidence }) => `${service}: ${kind}, ${evidence}`)
        : []),
      ...suite.problems,
      ...destructionOf(suite),
    ];
    if (lines.length === 0) return [];
    const text = lines.join('\n');
    const shown =
      text.length > longestDetail ? `${text.slice(0, longestDetail)}\n… (the rest is in the record)` : text;
    return [`${suite.name}:\n${indent(shown)}`];
  });
}

const indent = (text: string): string => text.replace(/^/gm, '  ');

/** Why a suite didn't pass: its outcome, then each test that didn't. */
export function explain(outcome: Outcome, tests: readonly TestResult[]): string[] {
  return [
    ...reasonOf(outcome),
    ...tests.flatMap(({ name, status, failure }) =>
      status === 'passed' ? [] : [`${status}: ${name}${failure === undefined ? '' : `\n${failure}`}`],
    ),
  ];
}

function reasonOf(outcome: Outcome): string[] {
  switch (outcome.kind) {
    case 'passed':
      return [];
    case 'failed':
      return [`suite failed: ${outcome.reason}`];
    case 'timed out':
      return [`suite failed: it did not end within its ${String(outcome.timeoutMs / 1000)} s`];
    case 'errored':
      return [`harness error (${outcome.phase}): ${outcome.message}`];
    case 'interrupted':
      return [`interrupted (${outcome.phase})`];
    case 'not run':
      return [`not run: ${outcome.reason}`];
  }
}

function destructionOf({ destruction, stack }: SuiteRecord): string[] {
  switch (destruction.kind) {
    case 'destroyed':
    case 'nothing made':
      return [];
    case 'kept':
      return [
        `the environment was kept. Look at it: docker ps --filter label=rehearsal.stack=${stack}`,
        `Destroy it: ${destruction.command}`,
      ];
    case 'failed':
      return [`destroy failed: ${destruction.message}`, `Finish it: ${destruction.command}`];
    case 'left over':
      return [
        'left over after destroy:',
        ...destruction.leftovers.map(
          ({ kind, name }) => `  docker ${kind} rm ${kind === 'network' ? '' : '--force '}${name}`,
        ),
      ];
  }
}

function metricTable(metrics: readonly Metric[]): string {
  const made = new Table({
    head: ['metric', 'figure', 'limit', 'result', 'reason'],
    colWidths: [null, null, null, null, 50],
    wordWrap: true,
    ...plain,
  });
  made.push(
    ...metrics.map(({ name, figure, limit, result, reason }) => [name, figure, limit, result, reason]),
  );
  return made.toString();
}

function verdictLine({ verdict, notChosen }: RunRecord): string {
  if (verdict.decision === 'go') return 'GO: every metric was measured and holds';
  if (verdict.partial)
    return `NO-GO: what was chosen holds, but ${String(notChosen.length)} suites were not chosen`;
  const reasons = verdict.metrics
    .filter(({ result }) => result !== 'ok')
    .map(({ name, result }) => `${name}: ${result}`);
  return `NO-GO: ${reasons.join('; ')}`;
}
