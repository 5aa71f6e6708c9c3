import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { EnvironmentFault } from '../../runners/event-watch.js';
import type { RunRecord } from '../../runners/report/record.js';
import type { SuiteRequest } from '../../runners/suite-runner.js';
import {
  failedRun,
  fakeEngine,
  fakeLeases,
  fakeStacks,
  fakeSuites,
  fakeWatch,
  passedRun,
  planFor,
  type Calls,
} from './support/fakes.js';
import { fails, outcomes, runWith } from './support/run-with.js';

const names = ['one', 'two', 'three'];
const together = () => planFor(names, { together: true });

describe('suites in one environment', () => {
  test('run at once in the one that is made for all of them', async () => {
    const calls: Calls = [];
    const requests: SuiteRequest[] = [];
    let release = (): void => undefined;
    const allHere = new Promise<void>((resolve) => (release = resolve));
    const suites = fakeSuites(calls, async (request) => {
      requests.push(request);
      if (requests.length === names.length) release();
      await allHere;
      return passedRun;
    });
    const plan = together();
    const record = await runWith(calls, { plan, suites, leases: fakeLeases(calls) });
    expect(calls).toEqual([
      ...['lease shared', 'create shared', 'up shared'],
      ...['suite one', 'suite two', 'suite three'],
      ...['destroy shared', 'no lease shared'],
    ]);
    expect(new Set(requests.map(({ environmentFile }) => environmentFile)).size).toBe(1);
    expect(requests.map(({ folder }) => path.relative(plan.folder, folder))).toEqual([
      'shared/one',
      'shared/two',
      'shared/three',
    ]);
    expect(record.suites.map(({ name, stack }) => [name, stack])).toEqual(
      names.map((name) => [name, 'main--tabc123xyz-shared']),
    );
    expect(record.verdict.decision).toBe('go');
  });

  test('pass and fail each for itself', async () => {
    const suites = fakeSuites([], ({ suite: { name } }) =>
      Promise.resolve(name === 'two' ? failedRun : passedRun),
    );
    const record = await runWith([], { plan: together(), suites });
    expect(outcomes(record)).toEqual(['passed', 'failed', 'passed']);
    expect(record.suites.map(({ tests }) => tests.map(({ status }) => status))).toEqual([
      ['passed'],
      ['failed'],
      ['passed'],
    ]);
  });

  test('end with a service that dies, but for those that had ended by then', async () => {
    const fault = new AbortController();
    const death = { service: 'backend', action: 'die', exitCode: 1, atMs: 0 } as const;
    const engine = fakeEngine({ watchEvents: () => Promise.resolve(fakeWatch([death], fault.signal)) });
    const suites = fakeSuites([], async ({ suite: { name }, signal }) => {
      if (name === 'one') return passedRun;
      if (name === 'two') fault.abort(new EnvironmentFault(death));
      else if (!signal.aborted) await new Promise((resolve) => (signal.onabort = resolve));
      return { ...failedRun, status: { kind: 'cancelled' } };
    });
    const { suites: records } = await runWith([], { plan: together(), engine, suites });
    const ended = {
      kind: 'failed',
      reason: expect.stringMatching(/^backend exit at .*: it ended/) as unknown,
    };
    expect(records.map(({ outcome }) => outcome)).toEqual([{ kind: 'passed' }, ended, ended]);
  });

  test('all fail to run in an environment that does not come up', async () => {
    const record = await runWith([], {
      plan: together(),
      stacks: fakeStacks([], { up: fails('postgres is broken') }),
    });
    const outcome = { kind: 'errored', phase: 'up', message: 'postgres is broken' };
    expect(record.suites.map((suite) => suite.outcome)).toEqual([outcome, outcome, outcome]);
  });

  test('keep the environment until the last of them has ended, also when the runner can’t run one', async () => {
    const calls: Calls = [];
    let release = (): void => undefined;
    const failed = new Promise<void>((resolve) => (release = resolve));
    const suites = fakeSuites(calls, async ({ suite: { name } }) => {
      if (name === 'one') {
        release();
        throw new Error('no folder for it');
      }
      await failed;
      await Promise.resolve();
      calls.push(`end ${name}`);
      return passedRun;
    });
    const record: RunRecord = await runWith(calls, { plan: together(), suites });
    expect(calls.slice(-3)).toEqual(['end two', 'end three', 'destroy shared']);
    expect(outcomes(record)).toEqual(['errored', 'passed', 'passed']);
  });
});
