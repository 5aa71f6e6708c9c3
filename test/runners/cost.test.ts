import { describe, expect, test } from '@jest/globals';
import { awsCostUsd } from '../../components/hosts/aws-sizing.js';
import { instanceTypes } from '../../components/hosts/instance-types.js';
import { costAtMostUsd, costOf, dollars, type AwsPlan } from '../../runners/cost.js';
import { markdownSummary } from '../../runners/report/summary.js';
import { terminalReport } from '../../runners/report/terminal.js';
import { runRecord, suiteRecord } from './support/records.js';

const type = instanceTypes.find(({ name }) => name === 'm7i.xlarge');
if (type === undefined) throw new Error('m7i.xlarge is not in the table');
const aws: AwsPlan = { type, volumeGb: 73, region: 'eu-central-1', spot: false };
/** 0.2016 for the instance, 0.005 for the address, 73 GB at 0.08 a month of 730 hours. */
const perHour = 0.2016 + 0.005 + 0.008;

describe('the cost of an instance', () => {
  test('is its time with volume and address, and of a minute at least', () => {
    expect(awsCostUsd(aws, 3600)).toBeCloseTo(perHour, 10);
    expect(awsCostUsd(aws, 5)).toBeCloseTo(perHour / 60, 10);
  });
});

describe('the cost of a run', () => {
  const suites = [{ timeoutMs: 300_000 }, { timeoutMs: 1_200_000 }];

  test('is estimated by the time that each suite may take, and its instance before and after', () => {
    const { instances, usd } = costAtMostUsd({ suites, together: false, aws });
    expect(instances).toBe(2);
    expect(usd).toBeCloseTo((perHour * (1200 + 300 + 1200 + 1200)) / 3600, 10);
  });

  test('is that of one instance when all suites share it', () => {
    const { instances, usd } = costAtMostUsd({ suites, together: true, aws });
    expect(instances).toBe(1);
    expect(usd).toBeCloseTo((perHour * (1200 + 1200)) / 3600, 10);
  });

  test('comes to the time that the instances were there, and none for a suite that never had one', () => {
    const up = suiteRecord({ durations: { upMs: 200_000, suiteMs: 100_000, destroyMs: 60_000, totalMs: 0 } });
    const waiting = suiteRecord({ durations: { memoryWaitMs: 900_000, totalMs: 0 } });
    const cost = costOf({ suites, together: false, aws }, [up, waiting]);
    expect(cost.usd).toBeCloseTo(perHour / 10, 10);
    expect(cost).toMatchObject({
      ...{ instanceType: 'm7i.xlarge', vcpus: 4, memoryMb: 16_384, volumeGb: 73, region: 'eu-central-1' },
      ...{ spot: false, prices: 'us-east-1, 2026-01-19' },
    });
  });

  test.each([
    [0, '$0.0000'],
    [0.01234, '$0.0123'],
    [1.239, '$1.24'],
  ])('%d is shown as %s', (usd, text) => {
    expect(dollars(usd)).toBe(text);
  });
});

describe('the reports', () => {
  const cost = costOf({ suites: [{ timeoutMs: 1 }], together: false, aws: { ...aws, spot: true } }, [
    suiteRecord(),
  ]);

  test('show the cost with what its figures hold for', () => {
    const record = { ...runRecord([suiteRecord()]), cost };
    const line =
      /Cost: \$0\.\d+ by the time .*m7i\.xlarge in eu-central-1.*list prices of us-east-1, 2026-01-19.*spot instances cost at most that/;
    expect(terminalReport(record, 'folder')).toMatch(line);
    expect(markdownSummary(record)).toMatch(/Cost: .*m7i/);
  });

  test('are silent where nobody pays by the hour', () => {
    expect(terminalReport(runRecord([suiteRecord()]), 'folder')).not.toContain('Cost');
    expect(markdownSummary(runRecord([suiteRecord()]))).not.toContain('Cost');
  });
});
