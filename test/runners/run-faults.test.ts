import { describe, expect, test } from '@jest/globals';
import { serviceNames } from '../../components/services.js';
import type { ContainerEngine } from '../../runners/docker.js';
import { EnvironmentFault } from '../../runners/event-watch.js';
import type { ContainerEvent } from '../../runners/oom.js';
import {
  fakeEngine,
  fakeStacks,
  fakeSuites,
  fakeWatch,
  passedRun,
  planFor,
  type Calls,
} from './support/fakes.js';
import { fails, outcomes, runWith } from './support/run-with.js';

describe('a fault of the environment', () => {
  const redisDies: ContainerEvent = { service: 'redis', action: 'die', exitCode: 3, atMs: 0 };
  const figures = 'limit 100 MiB, sampled peak 60 MiB';
  const death = 'redis exit at 1970-01-01T00:00:00.000Z: it ended with exit code 3';

  /** An engine whose redis dies when the test says so. */
  function engineWithDeath(changes: Partial<ContainerEngine> = {}): {
    engine: ContainerEngine;
    die: () => void;
  } {
    const fault = new AbortController();
    const events: ContainerEvent[] = [];
    return {
      engine: fakeEngine({ watchEvents: () => Promise.resolve(fakeWatch(events, fault.signal)), ...changes }),
      die: () => {
        events.push(redisDies);
        fault.abort(new EnvironmentFault(redisDies));
      },
    };
  }

  test('ends the suite at once; the outcome names it, with the last log lines', async () => {
    const calls: Calls = [];
    const { engine, die } = engineWithDeath();
    const suites = fakeSuites(calls, ({ signal }) => {
      die();
      expect(signal.aborted).toBe(true);
      return Promise.resolve({ ...passedRun, status: { kind: 'cancelled' } });
    });
    const record = await runWith(calls, { engine, suites, plan: planFor(['one']) });
    expect(calls).toEqual(['create one', 'up one', 'suite one', 'destroy one']);
    expect(record.suites[0]).toMatchObject({
      outcome: {
        kind: 'failed',
        reason: `${death}; ${figures}\nlast log lines of redis:\n  redis was told [redacted]`,
      },
      crashes: {
        measured: true,
        value: [{ service: 'redis', kind: 'exit', exitCode: 3, memory: { limitMb: 100, peakMb: 60 } }],
      },
      fault: {
        at: '1970-01-01T00:00:00.000Z',
        service: 'redis',
        what: 'it ended with exit code 3',
        endedAfterMs: expect.any(Number),
      },
      lastLines: serviceNames.map((service) => ({ service, lines: [`${service} was told [redacted]`] })),
      destruction: { kind: 'destroyed' },
    });
    expect(record.interrupted).toBe(false);
    expect(record.verdict.decision).toBe('no-go');
  });

  test('counts also when it is clear only after the way up has failed', async () => {
    const fault = new AbortController();
    const redisFails: ContainerEvent = { service: 'redis', action: 'unhealthy', atMs: 0 };
    const watch = {
      ...fakeWatch([redisFails], fault.signal),
      settled() {
        fault.abort(new EnvironmentFault(redisFails));
        return Promise.resolve();
      },
    };
    const engine = fakeEngine({ watchEvents: () => Promise.resolve(watch) });
    const stacks = fakeStacks([], { up: fails('redis is not ready') });
    const record = await runWith([], { engine, stacks, plan: planFor(['one']) });
    expect(record.suites[0]).toMatchObject({
      outcome: { kind: 'errored', message: expect.stringContaining('redis unhealthy at ') as unknown },
      fault: { service: 'redis', what: 'its health check failed too often' },
    });
  });

  test('counts also when the suite says that all is well', async () => {
    const { engine, die } = engineWithDeath();
    const suites = fakeSuites([], () => {
      die();
      return Promise.resolve(passedRun);
    });
    const record = await runWith([], { engine, suites, plan: planFor(['one']) });
    expect(outcomes(record)).toEqual(['failed']);
  });

  test('ends the way up, as an error of the harness', async () => {
    const calls: Calls = [];
    const { engine, die } = engineWithDeath();
    const stacks = fakeStacks(calls, {
      up({ signal }) {
        die();
        return Promise.reject(new Error(signal?.aborted === true ? 'cancelled' : 'never told'));
      },
    });
    const record = await runWith(calls, { engine, stacks, plan: planFor(['one']) });
    expect(calls).toEqual(['create one', 'up one', 'destroy one']);
    expect(record.suites[0]?.outcome).toMatchObject({
      kind: 'errored',
      phase: 'up',
      message: expect.stringContaining(death),
    });
  });

  test('after the way up and before the suite leaves no suite to run', async () => {
    const calls: Calls = [];
    const { engine, die } = engineWithDeath();
    const sampleMemory: ContainerEngine['sampleMemory'] = (...args) => {
      die();
      return fakeEngine().sampleMemory(...args);
    };
    const record = await runWith(calls, {
      engine: { ...engine, sampleMemory },
      plan: planFor(['one']),
    });
    expect(calls).toEqual(['create one', 'up one', 'destroy one']);
    expect(record.suites[0]?.outcome).toMatchObject({ kind: 'errored', phase: 'prepare' });
  });

  test('is named although the containers cannot be inspected', async () => {
    const { engine, die } = engineWithDeath({ reports: fails('inspect broke') });
    const suites = fakeSuites([], () => {
      die();
      return Promise.resolve(passedRun);
    });
    const record = await runWith([], { engine, suites, plan: planFor(['one']) });
    expect(record.suites[0]).toMatchObject({
      outcome: { kind: 'errored', phase: 'suite', message: 'redis: it ended with exit code 3' },
      crashes: { measured: false },
    });
  });

  test('after the suite is in the record, beside what the suite said', async () => {
    const { engine, die } = engineWithDeath();
    const reports: ContainerEngine['reports'] = (scope) => {
      die();
      return fakeEngine().reports(scope);
    };
    const record = await runWith([], { engine: { ...engine, reports }, plan: planFor(['one']) });
    expect(record.suites[0]).toMatchObject({
      outcome: { kind: 'passed' },
      crashes: { measured: true, value: [{ service: 'redis', kind: 'exit' }] },
    });
    expect(record.verdict.decision).toBe('no-go');
  });

  test('that is a full disk is found in the logs', async () => {
    const line = 'ERROR:  could not extend file: No space left on device';
    const reports: ContainerEngine['reports'] = async (scope) =>
      (await fakeEngine().reports(scope)).map((report) =>
        report.state.service === 'postgres'
          ? { ...report, readLog: (read) => read([[`2026-01-01T00:00:00Z ${line}`]]) }
          : report,
      );
    const record = await runWith([], { engine: fakeEngine({ reports }), plan: planFor(['one']) });
    expect(record.suites[0]?.crashes).toMatchObject({
      value: [{ service: 'postgres', kind: 'disk full', evidence: `its log says: ${line}` }],
    });
    expect(record.verdict.decision).toBe('no-go');
  });
});
