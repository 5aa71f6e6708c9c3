import { dollars, priceNote } from '../cost.js';
import { labelKeys } from '../../components/labels.js';
import { serviceNames } from '../../components/services.js';
import { describeCrash } from './crash.js';
import { growthPerUserMb } from './growth.js';
import type {
  Destruction,
  Fault,
  Leftover,
  Memory,
  Outcome,
  RunRecord,
  SuiteRecord,
  TestResult,
} from './record.js';

/** What every report for people shows, before it is laid out: text as it is, escaped for nothing. */
export interface Rows {
  /** The first column is text, all others are figures. */
  head: string[];
  rows: string[][];
}

/** Something that didn't go well: a line, and what there is to read about it. */
export interface Trouble {
  title: string;
  text?: string;
}

export function heading({ runId, branch, users, environment, host, suites }: RunRecord): string[] {
  const llm = environment.llm === 'stand-in' ? 'a scripted stand-in' : environment.llm;
  return [
    `Run ${runId} of branch ${branch}: profile ${environment.profile}, ${String(users)} concurrent users, the LLM is ${llm}`,
    `Docker Engine ${host.engineVersion}${placeOf(host)}, ${host.operatingSystem}, ${String(host.cpus)} CPUs, ${String(host.memoryMb)} MiB`,
    ...clockLines(suites),
  ];
}

const placeOf = ({ where, cgroupVersion }: RunRecord['host']): string =>
  where === undefined ? '' : ` at ${where}, cgroup v${cgroupVersion}`;

/** Of another machine, where it was known the least well. */
function clockLines(suites: readonly SuiteRecord[]): string[] {
  const known = suites.flatMap(({ clock }) => (clock.measured ? (clock.value.host ?? []) : []));
  const [worst] = known.toSorted((one, other) => other.uncertaintyMs - one.uncertaintyMs);
  if (worst === undefined) return [];
  const [ahead, uncertainty] = [worst.aheadMs, worst.uncertaintyMs].map((ms) => ms.toFixed(1));
  return [`Its clock is ${ahead} ± ${uncertainty} ms ahead of ours: the latencies are corrected by that`];
}

export function verdictLine({ verdict, notChosen }: RunRecord): string {
  if (verdict.decision === 'go') return 'GO: every metric was measured and holds';
  if (verdict.partial)
    return `NO-GO: what was chosen holds, but ${String(notChosen.length)} suites were not chosen`;
  const reasons = verdict.metrics
    .filter(({ result }) => result !== 'ok')
    .map(({ name, result }) => `${name}: ${result}`);
  return `NO-GO: ${reasons.join('; ')}`;
}

export function suiteRows(suites: readonly SuiteRecord[]): Rows {
  return {
    head: [
      ...['suite', 'outcome', 'tests', 'up s', 'suite s', 'destroy s', 'total s', 'peak MiB'],
      ...['events', 'p50 ms', 'p99 ms', 'max ms'],
    ],
    rows: suites.map(({ name, outcome, tests, durations, memory, latency }) => [
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
  };
}

const seconds = (ms: number | undefined): string => (ms === undefined ? '-' : (ms / 1000).toFixed(1));

/** Each service in the suite in which it had its highest peak. */
export function memoryRows({ suites, users, environment }: RunRecord): Rows {
  const rows = serviceNames.map((service) => {
    const measured = suites.flatMap(({ name, memory }) => {
      const own = memory.measured ? memory.value.services[service] : undefined;
      return own === undefined ? [] : [{ suite: name, ...own }];
    });
    const [highest] = measured.toSorted((one, other) => other.peakMb - one.peakMb);
    const kernel = measured.flatMap(({ kernelPeakMb }) => kernelPeakMb ?? []);
    return [
      service,
      figure(highest?.baselineMb, 0),
      figure(highest === undefined ? undefined : growthPerUserMb(highest, users), 1),
      figure(highest?.peakMb, 0),
      highest?.suite ?? '?',
      figure(kernel.length === 0 ? undefined : Math.max(...kernel), 0),
      String(environment.services[service]),
    ];
  });
  return {
    head: ['service', 'idle MiB', 'per user', 'peak MiB', 'in suite', 'with page cache', 'limit MiB'],
    rows,
  };
}

/** Each service's peak in each suite, and of all services at the same time. */
export function peakRows({ suites }: RunRecord): Rows {
  const peaks = (of: (memory: Memory) => number | undefined): string[] =>
    suites.map(({ memory }) => figure(memory.measured ? of(memory.value) : undefined, 0));
  return {
    head: ['peak MiB', ...suites.map(({ name }) => name)],
    rows: [
      ...serviceNames.map((service) => [service, ...peaks(({ services }) => services[service]?.peakMb)]),
      ['all, idle', ...peaks(({ baselineMb }) => baselineMb)],
      ['all at the same time', ...peaks(({ peakMb }) => peakMb)],
    ],
  };
}

const figure = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '?';

/** How the suites shared the host's time and memory. */
export function scheduleLine({ suites, jobs, mostAtOnce }: RunRecord): string {
  const ahead = suites.filter(({ preparedAhead }) => preparedAhead).length;
  const waits = suites.flatMap(({ name, durations: { memoryWaitMs = 0 } }) =>
    memoryWaitMs < shortestWaitMs ? [] : [`${name} ${seconds(memoryWaitMs)} s`],
  );
  return [
    `Suites at once: ${String(mostAtOnce)} of at most ${String(jobs)}.`,
    ...(ahead === 0 ? [] : [`Environments prepared while another suite ran: ${String(ahead)}.`]),
    ...(waits.length === 0 ? [] : [`Waited for memory: ${waits.join(', ')}.`]),
  ].join(' ');
}

/** Anything less is the look itself. */
const shortestWaitMs = 1_000;

export const runnerLine = ({ runner }: RunRecord): string =>
  `The runner's own process used ${runner.peakRssMb.toFixed(0)} MiB at most.`;

/** Nothing where nobody pays by the hour. */
export function costLines({ cost }: RunRecord): string[] {
  if (cost === undefined) return [];
  const { instanceType, vcpus, memoryMb, volumeGb, region, spot, prices, usd, atMostUsd } = cost;
  return [
    `Cost: ${dollars(usd)} by the time that its instances were there, ${dollars(atMostUsd)} was the most before the run ` +
      `(${instanceType} in ${region}, ${String(vcpus)} vCPUs, ${String(memoryMb)} MiB, ${String(volumeGb)} GB; ${priceNote({ spot, region }, prices)})`,
  ];
}

export function metricRows({ verdict }: RunRecord): Rows {
  return {
    head: ['metric', 'figure', 'limit', 'result', 'reason'],
    rows: verdict.metrics.map(({ name, figure, limit, result, reason }) => [
      name,
      figure,
      limit,
      result,
      reason,
    ]),
  };
}

/** What didn't go well in a suite's turn, its outcome first. */
export function troublesOf(suite: SuiteRecord): Trouble[] {
  return [
    ...outcomeTroubles(suite.outcome, suite.tests),
    ...(suite.crashes.measured
      ? suite.crashes.value.map((crash) =>
          troubleOf(`${crash.service}: ${crash.kind}, ${describeCrash(crash)}`),
        )
      : []),
    ...faultTroubles(suite.fault),
    ...suite.problems.map(troubleOf),
    ...destructionTroubles(suite),
  ];
}

function faultTroubles(fault: Fault | undefined): Trouble[] {
  if (fault === undefined) return [];
  const { service, what, at, endedAfterMs } = fault;
  const took = `${endedAfterMs.toFixed(0)} ms`;
  return [troubleOf(`what was under way ended ${took} after the engine's event: ${service}: ${what}, ${at}`)];
}

/** Why a suite didn't pass: its outcome, then each test that didn't. */
export function outcomeTroubles(outcome: Outcome, tests: readonly TestResult[]): Trouble[] {
  return [
    ...reasonOf(outcome).map(troubleOf),
    ...tests.flatMap(({ name, status, failure }) =>
      status === 'passed'
        ? []
        : [{ title: `${status}: ${name}`, ...(failure === undefined ? {} : { text: failure }) }],
    ),
  ];
}

/** The first line says what happened, the others are to be read about it. */
function troubleOf(message: string): Trouble {
  const [title = '', ...text] = message.split('\n');
  return { title, ...(text.length === 0 ? {} : { text: text.join('\n') }) };
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

function destructionTroubles(suite: SuiteRecord): Trouble[] {
  const { destruction } = suite;
  switch (destruction.kind) {
    case 'destroyed':
    case 'nothing made':
      return [];
    case 'kept':
      return keptLines(suite, destruction).map((title) => ({ title }));
    case 'failed':
      return [
        troubleOf(`destroy failed: ${destruction.message}`),
        { title: `Finish it: ${destruction.command}` },
      ];
    case 'left over':
      return [
        {
          title: 'left over after destroy:',
          text: destruction.leftovers.map((leftover) => `  ${removalOf(leftover)}`).join('\n'),
        },
      ];
  }
}

/** The command that removes it; for what AWS has, there is one for all. */
function removalOf({ kind, name }: Leftover): string {
  if (kind === 'container' || kind === 'volume') return `docker ${kind} rm --force ${name}`;
  if (kind === 'network') return `docker network rm ${name}`;
  return `npm run rehearsal -- gc --region ${name.replace(/\/.*$/, '')}   # ${kind} ${name}`;
}

/** What there is to do with an environment that was kept, as commands. */
function keptLines(
  { name, stack, outcome }: SuiteRecord,
  { until, command }: Extract<Destruction, { kind: 'kept' }>,
): string[] {
  const cameUp = outcome.kind !== 'errored' || (outcome.phase !== 'create' && outcome.phase !== 'up');
  const whenUp = [
    `Addresses and passwords: npm run pulumi -- stack output endpoints --show-secrets --stack ${stack}`,
    `Run the suite again: npm run rehearsal -- test --stack ${stack} --suite ${name}`,
  ];
  return [
    `the environment was kept. It stays until ${until}; ` +
      'the next run, or npm run rehearsal -- gc, destroys it after that',
    `Look at it: docker ps --all --filter label=${labelKeys.stack}=${stack}`,
    ...(cameUp ? whenUp : []),
    `Keep it longer: npm run rehearsal -- up --stack ${stack} --ttl 4h`,
    `Destroy it: ${command}`,
  ];
}
