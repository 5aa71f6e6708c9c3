import { describe, expect, test } from '@jest/globals';
import { junitReport } from '../../runners/report/junit.js';
import { terminalReport } from '../../runners/report/terminal.js';
import type { RunRecord } from '../../runners/report/record.js';
import { runRecord, suiteRecord } from './support/records.js';

const suites = {
  passed: suiteRecord({ name: 'good' }),
  failed: suiteRecord({
    name: 'bad',
    outcome: { kind: 'failed', reason: '1 of 2 tests failed' },
    tests: [
      { name: 'works', status: 'passed', durationMs: 1500 },
      { name: 'breaks', status: 'failed', durationMs: 10, failure: 'expected <1> & got 2' },
    ],
  }),
  withoutTests: suiteRecord({
    name: 'empty',
    outcome: { kind: 'failed', reason: 'no test was run' },
    tests: [],
  }),
  errored: suiteRecord({
    name: 'broken',
    outcome: { kind: 'errored', phase: 'up', message: 'no room' },
    tests: [],
    memory: { measured: false, reason: 'the environment did not come up' },
    latency: { measured: false, reason: 'the suite did not run' },
    crashes: {
      measured: true,
      value: [{ service: 'redis', kind: 'exit', exitCode: 1, evidence: 'it ended with exit code 1' }],
    },
    destruction: { kind: 'failed', message: 'locked', command: 'npm run pulumi -- destroy --stack x' },
  }),
  late: suiteRecord({ name: 'late', outcome: { kind: 'timed out', timeoutMs: 60_000 }, tests: [] }),
};

describe('JUnit report', () => {
  const casesOf = (record: RunRecord, suite: string): string => {
    const found = new RegExp(`<testsuite name="${suite}"[^]*?</testsuite>`).exec(junitReport(record));
    if (found === null) throw new Error(`no suite ${suite}`);
    return found[0];
  };

  test('has a failure for a test, with its text safe in XML', () => {
    const xml = casesOf(runRecord([suites.failed]), 'bad');
    expect(xml).toContain('tests="2" failures="1" errors="0"');
    expect(xml).toContain('<failure message="expected &lt;1> &amp; got 2"/>');
  });

  test('has an error for what is no test, and none for what is', () => {
    const xml = casesOf(runRecord([suites.errored]), 'broken');
    expect(xml).toContain('tests="3" failures="0" errors="3"');
    expect(xml).toContain('<error message="up: no room"/>');
    expect(xml).toContain('<error message="exit: it ended with exit code 1"/>');
    expect(xml).toContain('<error message="locked"/>');
  });

  test.each([
    ['a suite that failed without a failed test', suites.withoutTests, 'empty', 'no test was run'],
    ['a suite that took too long', suites.late, 'late', 'the suite did not end within its 60 s'],
  ])('has a failure for %s', (_, suite, name, message) => {
    const xml = casesOf(runRecord([suite]), name);
    expect(xml).toContain('tests="1" failures="1" errors="0"');
    expect(xml).toContain(`<failure message="${message}"/>`);
  });

  test('has host, limits and peaks as properties', () => {
    const xml = casesOf(runRecord([suites.passed]), 'good');
    expect(xml).toContain(
      'name="host" value="Debian GNU/Linux 12 (bookworm), Docker Engine 20.10.24, 24000 MiB"',
    );
    expect(xml).toContain('name="limit.backend" value="512 MiB"');
    expect(xml).toContain('name="peak" value="600.0 MiB"');
    expect(xml).toContain('name="peak.backend" value="200.0 MiB"');
  });

  test('has each metric, and fails those that are not ok', () => {
    const xml = casesOf(runRecord([suites.errored]), 'verdict');
    expect(xml).toContain('<failure message="failed: broken: failed" type="failed"/>');
    expect(xml).toContain('type="not proven"');
  });
});

describe('terminal report', () => {
  test('of a good run ends with GO and the place of the artifacts', () => {
    const text = terminalReport(runRecord([suites.passed]), '/artifacts');
    expect(text).toMatch(/\n\nGO: every metric was measured and holds\n\nArtifacts: \/artifacts$/);
    expect(text).not.toContain('NO-GO');
  });

  test('of a bad run names what failed, why, and how to finish', () => {
    const text = terminalReport(runRecord(Object.values(suites)), '/artifacts');
    expect(text).toContain('  suite failed: 1 of 2 tests failed\n  failed: breaks\n  expected <1> & got 2');
    expect(text).toContain('  harness error (up): no room\n');
    expect(text).toContain('  redis: exit, it ended with exit code 1\n');
    expect(text).toContain('  destroy failed: locked\n  Finish it: npm run pulumi -- destroy --stack x');
    expect(text).toContain('  suite failed: it did not end within its 60 s');
    expect(text).toMatch(/\nNO-GO: .*suites pass: failed.*everything destroyed: failed/);
  });

  test('shows the highest peak of a service over all suites beside its limit', () => {
    const higher = suiteRecord({
      memory: {
        measured: true,
        value: {
          sampleCount: 1,
          peakMb: 1,
          gaps: [],
          services: { backend: { limitMb: 512, peakMb: 333, kernelPeakMb: 340 } },
        },
      },
    });
    const text = terminalReport(runRecord([suites.passed, higher]), '/artifacts');
    expect(text).toMatch(/│ backend +│ +333 │ +340 │ +512 │/);
    expect(text).toMatch(/│ redis +│ +40 │ +\? │ +96 │/);
  });

  test('tells how to look at what was kept and how to remove what was left', () => {
    const kept = suiteRecord({ destruction: { kind: 'kept', command: 'npm run pulumi -- destroy' } });
    const left = suiteRecord({
      destruction: {
        kind: 'left over',
        leftovers: [
          { kind: 'network', name: 'net' },
          { kind: 'container', name: 'box' },
        ],
      },
    });
    const text = terminalReport(runRecord([kept, left]), '/artifacts');
    expect(text).toContain('docker ps --filter label=rehearsal.stack=main-abc-chat');
    expect(text).toContain('docker network rm net');
    expect(text).toContain('docker container rm --force box');
  });

  test('has no colours', () => {
    expect(terminalReport(runRecord(Object.values(suites)), '/artifacts')).not.toContain('\u001b[');
  });
});
