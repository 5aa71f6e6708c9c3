import { stripVTControlCharacters } from 'node:util';
import reportBuilder, { type Builder, type TestCase } from 'junit-report-builder';
import { describeCrash } from './crash.js';
import { growthPerUserMb } from './growth.js';
import type { RunRecord, SuiteRecord } from './record.js';
import { chainsOf } from './why.js';

// The package's types describe an ES module; what Node imports is its CommonJS object.
const builder = reportBuilder as unknown as Builder;

/** JUnit XML: a failure is a test's, an error the environment's or the harness's. */
export function junitReport(record: RunRecord): string {
  const report = builder.newBuilder().name(`rehearsal ${record.runId}`);
  for (const suite of record.suites) addSuite(report, suite, record);
  const verdict = report.testSuite().name('verdict');
  for (const { name, figure, limit, result, reason } of record.verdict.metrics) {
    // Readers follow a test from run to run by its name: the figure isn't part of it.
    const figures = `${figure} (limit ${limit})`;
    const metric = verdict.testCase().className('verdict').name(name).standardOutput(figures);
    if (result === 'failed') metric.failure(`${figures}: ${reason}`, result);
    if (result === 'not proven') metric.error(`${figures}: ${reason}`, result);
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
  group.property('users', String(record.users));
  group.property('llm', environment.llm);
  group.property('runner.peak', inMb(record.runner.peakRssMb));
  for (const [service, limitMb] of Object.entries(environment.services)) {
    group.property(`limit.${service}`, `${String(limitMb)} MiB`);
  }
  if (suite.memory.measured) {
    group.property('peak', inMb(suite.memory.value.peakMb));
    for (const [service, own] of Object.entries(suite.memory.value.services)) {
      group.property(`peak.${service}`, inMb(own.peakMb));
      const perUserMb = growthPerUserMb(own, record.users);
      if (own.baselineMb !== undefined) group.property(`idle.${service}`, inMb(own.baselineMb));
      if (perUserMb !== undefined) group.property(`perUser.${service}`, inMb(perUserMb));
      if (own.kernelPeakMb !== undefined) {
        group.property(`peakWithPageCache.${service}`, inMb(own.kernelPeakMb));
      }
    }
  }
  for (const chain of chainsOf(record, suite.name)) group.property('why', chain);
  for (const { name, status, durationMs, failure } of suite.tests) {
    const test = group
      .testCase()
      .className(suite.name)
      .name(name)
      .time(durationMs / 1000);
    if (status === 'failed') fail(test, failure ?? 'failed');
    if (status === 'skipped') test.skipped();
  }
  for (const [what, message] of troublesOf(suite)) {
    const { title, rest } = split(message);
    group.testCase().className(suite.name).name(what).error(title, undefined, rest);
  }
  const { outcome } = suite;
  if (outcome.kind === 'timed out') {
    const message = `the suite did not end within its ${String(outcome.timeoutMs / 1000)} s`;
    fail(group.testCase().className(suite.name).name('timeout'), message);
  }
  // A suite can fail without a failed test: by its exit code, or for want of any test.
  if (outcome.kind === 'failed' && !suite.tests.some(({ status }) => status === 'failed')) {
    fail(group.testCase().className(suite.name).name('suite'), outcome.reason);
  }
}

const inMb = (mb: number): string => `${mb.toFixed(1)} MiB`;

/** Readers show the attribute as a headline, and what is in the element below it. */
function fail(test: TestCase, message: string): void {
  const { title, rest } = split(message);
  test.failure(title).stacktrace(rest);
}

function split(message: string): { title: string; rest: string | undefined } {
  const plain = stripVTControlCharacters(message).trim();
  const [title = ''] = plain.split('\n', 1);
  return { title, rest: title === plain ? undefined : plain };
}

/** What is nobody's test: name and message. */
function troublesOf({ outcome, crashes, destruction }: SuiteRecord): [string, string][] {
  const troubles: [string, string][] = [];
  if (outcome.kind === 'errored') troubles.push(['harness', `${outcome.phase}: ${outcome.message}`]);
  if (outcome.kind === 'interrupted') troubles.push(['harness', `interrupted in ${outcome.phase}`]);
  if (outcome.kind === 'not run') troubles.push(['harness', `not run: ${outcome.reason}`]);
  if (crashes.measured) {
    for (const crash of crashes.value) {
      troubles.push([`${crash.service}: ${crash.kind}`, describeCrash(crash)]);
    }
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
