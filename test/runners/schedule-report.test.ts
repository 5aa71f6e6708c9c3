import { describe, expect, test } from '@jest/globals';
import { markdownSummary } from '../../runners/report/summary.js';
import { terminalReport } from '../../runners/report/terminal.js';
import { runRecord, suiteRecord } from './support/records.js';

const { durations } = suiteRecord();

describe('a report of suites at once', () => {
  const record = runRecord(
    [
      suiteRecord({ name: 'first', durations: { ...durations, memoryWaitMs: 40 } }),
      suiteRecord({ name: 'second', preparedAhead: true }),
      suiteRecord({ name: 'third', durations: { ...durations, memoryWaitMs: 12_340 } }),
    ],
    { jobs: 4, mostAtOnce: 2 },
  );

  test('says how many ran, how many environments were ready ahead and who waited for memory', () => {
    const expected =
      'Suites at once: 2 of at most 4. Environments prepared while another suite ran: 1. ' +
      'Waited for memory: third 12.3 s.';
    expect(terminalReport(record, 'runs/x')).toContain(expected);
    expect(markdownSummary(record)).toContain(expected);
  });

  test('is silent of waits that were none', () => {
    const text = terminalReport(runRecord([suiteRecord()]), 'runs/x');
    expect(text).toContain('Suites at once: 1 of at most 1.\n');
    expect(text).not.toContain('Waited');
    expect(text).not.toContain('prepared');
  });
});
