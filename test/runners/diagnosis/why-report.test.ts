import { describe, expect, test } from '@jest/globals';
import { marked } from 'marked';
import { diagnose } from '../../../runners/diagnosis/diagnose.js';
import { junitReport } from '../../../runners/report/junit.js';
import type { RunRecord, SuiteRecord } from '../../../runners/report/record.js';
import { markdownSummary } from '../../../runners/report/summary.js';
import { terminalReport } from '../../../runners/report/terminal.js';
import { readRecording } from '../../helpers/recording.js';
import { runRecord, suiteRecord } from '../support/records.js';

function recorded(name: string): RunRecord {
  const { record, artifacts } = readRecording(name);
  return { ...record, ...diagnose(record, artifacts) };
}

describe('why a run is no "go"', () => {
  test('is in the terminal, each cause with its evidence, and what is recommended', () => {
    const text = terminalReport(recorded('kept-per-user'), 'folder');
    expect(text).toMatch(
      /Why: websocket-agent-events failed\n[^]*1\. because the suite's connections broke[^]*2\. because a process of backend died[^]*3\. because the kernel killed a process of backend[^]*4\. because backend keeps 64 MiB of each user/,
    );
    expect(text).toMatch(/event of backend, \S+: the engine reported an OOM kill in it/);
    expect(text).toContain(
      'Recommended: rehearsal:services.backend.memoryMb 512 → 896, rehearsal:budgetMb 1792 → 2304\n',
    );
    expect(text).toContain('npm run rehearsal -- diagnose');
  });

  test('is in the summary, as lists', () => {
    const html = marked.parse(markdownSummary(recorded('kept-per-user')), { async: false });
    expect(html).toContain('<strong>Why: websocket-agent-events failed</strong>');
    expect(html).toMatch(/<ol>\s*<li>because the suite&#39;s connections broke/);
    expect(html).toMatch(/<li>event of backend, \S+ the engine reported an OOM kill in it<\/li>/);
    expect(html).toContain('Recommended: rehearsal:services.backend.memoryMb 512 → 896');
  });

  test('is in the JUnit report, a line for each suite', () => {
    expect(junitReport(recorded('killed-from-outside'))).toContain(
      '<property name="why" value="waits got no fair try (suite) ← postgres was killed from outside the run: it is no finding about memory"/>',
    );
    expect(junitReport(recorded('unknown-paused'))).toContain(
      'value="waits got no fair try (suite) ← unknown"',
    );
  });

  test('is told once of suites with the same causes', () => {
    const { record, artifacts } = readRecording('kept-per-user');
    const [suite] = record.suites as [SuiteRecord];
    const [own] = Object.values(artifacts);
    const suites = [suite, { ...suite, name: 'another' }];
    const both = diagnose({ ...record, suites }, { [suite.name]: own ?? {}, another: own ?? {} });
    const text = terminalReport({ ...record, suites, ...both }, 'folder');
    expect(text.match(/^Why: .*/gm)).toEqual(['Why: websocket-agent-events failed, another failed']);
  });

  test('is told of unknown causes with what there is to read', () => {
    expect(terminalReport(recorded('unknown-paused'), 'folder')).toMatch(
      /Why that was is unknown\.\n\s+event of redis, \S+: it was paused/,
    );
  });

  test('is not told of a "go"', () => {
    const record = runRecord([suiteRecord()]);
    for (const report of [terminalReport(record, 'folder'), markdownSummary(record), junitReport(record)]) {
      expect(report).not.toMatch(/why|recommended/i);
    }
  });
});
