import reportBuilder, { type Builder } from 'junit-report-builder';
import type { RunRecord, SuiteRecord } from './record.js';

// The package's types describe an ES module; what Node imports is its CommonJS object.
const builder = reportBuilder as unknown as Builder;

/** JUnit XML: a failure is a test's, an error the environment's or the harness's. */
export function junitReport(record: RunRecord): string {
  const report = builder.newBuilder().name(`rehearsal ${record.runId}`);
  for (const suite of record.suites) addSuite(report, suite, record);
  const verdict = report.testSuite().name('verdict');
  for (const { name, figure, limit, result, reason } of record.verdict.metrics) {
    const metric = verdict.testCase().className('verdict').name(`${name}: ${figure} (limit ${limit})`);
    if (result !== 'ok') metric.failure(`${result}: ${reason}`, result);
  }
  return report.build();
}

function addSuite(report: Builder, suite: SuiteRecord, record: RunRecord): void {
  const { host, environment } = record;
  const group = report
    .testSuite()
    .name(suite.name)
    .timestamp(record.startedAt)
    .time(suite.durations.totalMs / 1000);
  group.property(
    'host',
    `${host.operatingSystem}, Docker Engine ${host.engineVersion}, ${String(host.memoryMb)} MiB`,
  );
  group.property('profile', environment.profile);
  for (const [service, limitMb] of Object.entries(environment.services)) {
    group.property(`limit.${service}`, `${String(limitMb)} MiB`);
  }
  if (suite.memory.measured) {
    group.property('peak', `${suite.memory.value.peakMb.toFixed(1)} MiB`);
    for (const [service, { peakMb }] of Object.entries(suite.memory.value.services)) {
      group.property(`peak.${service}`, `${peakMb.toFixed(1)} MiB`);
    }
  }
  for (const { name, status, durationMs, failure } of suite.tests) {
    const test = group
      .testCase()
      .className(suite.name)
      .name(name)
      .time(durationMs / 1000);
    if (status === 'failed') test.failure(failure ?? 'failed');
    if (status === 'skipped') test.skipped();
  }
  for (const [what, message] of troublesOf(suite)) {
    group.testCase().className(suite.name).name(what).error(message);
  }
  const { outcome } = suite;
  if (outcome.kind === 'timed out') {
    const message = `the suite did not end within its ${String(outcome.timeoutMs / 1000)} s`;
    group.testCase().className(suite.name).name('timeout').failure(message);
  }
  // A suite can fail without a failed test: by its exit code, or for want of any test.
  if (outcome.kind === 'failed' && !suite.tests.some(({ status }) => status === 'failed')) {
    group.testCase().className(suite.name).name('suite').failure(outcome.reason);
  }
}

/** What is nobody's test: name and message. */
function troublesOf({ outcome, crashes, destruction }: SuiteRecord): [string, string][] {
  const troubles: [string, string][] = [];
  if (outcome.kind === 'errored') troubles.push(['harness', `${outcome.phase}: ${outcome.message}`]);
  if (outcome.kind === 'interrupted') troubles.push(['harness', `interrupted in ${outcome.phase}`]);
  if (outcome.kind === 'not run') troubles.push(['harness', `not run: ${outcome.reason}`]);
  if (crashes.measured) {
    for (const { service, kind, evidence } of crashes.value)
      troubles.push([`crash of ${service}`, `${kind}: ${evidence}`]);
  }
  if (destruction.kind === 'failed') troubles.push(['destroy', destruction.message]);
  if (destruction.kind === 'left over') {
    troubles.push([
      'destroy',
      `left over: ${destruction.leftovers.map(({ kind, name }) => `${kind} ${name}`).join(', ')}`,
    ]);
  }
  return troubles;
}
