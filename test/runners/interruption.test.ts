import { describe, expect, test } from '@jest/globals';
import { waitUntil } from '../../engine/wait.js';
import { listenForInterruption } from '../../runners/interruption.js';
import { fakeStacks, fakeSuites, passedRun, planFor, type Calls } from './support/fakes.js';
import { outcomes, runWith } from './support/run-with.js';

describe('an interruption', () => {
  test('before the first suite runs none', async () => {
    const calls: Calls = [];
    const record = await runWith(calls, { stop: AbortSignal.abort() });
    expect(calls).toEqual([]);
    expect(outcomes(record)).toEqual(['not run', 'not run']);
    expect(record).toMatchObject({ interrupted: true, verdict: { decision: 'no-go' } });
  });

  test('during up destroys what is there and runs no further suite', async () => {
    const calls: Calls = [];
    const stop = new AbortController();
    const stacks = fakeStacks(calls, {
      up({ signal }) {
        stop.abort();
        expect(signal?.aborted).toBe(true);
        return Promise.reject(new Error('pulumi up was cancelled'));
      },
    });
    const record = await runWith(calls, { stacks, stop: stop.signal });
    expect(calls).toEqual(['create one', 'up one', 'destroy one']);
    expect(outcomes(record)).toEqual(['interrupted', 'not run']);
  });

  test('during a suite destroys the environment, also when it is to be kept on failure', async () => {
    const calls: Calls = [];
    const stop = new AbortController();
    const suites = fakeSuites(calls, async () => {
      // The second one's is prepared ahead.
      await waitUntil(() => Promise.resolve(calls.includes('up two')), Boolean, {
        ...{ what: 'up two', deadlineMs: 20_000, intervalMs: 5 },
      });
      stop.abort();
      return { ...passedRun, status: { kind: 'cancelled' } };
    });
    const plan = planFor(['one', 'two'], { keepOnFailure: true });
    const record = await runWith(calls, { suites, stop: stop.signal, plan });
    expect(calls.filter((call) => call.startsWith('suite'))).toEqual(['suite one']);
    expect(calls).toEqual(expect.arrayContaining(['up one', 'destroy one', 'up two', 'destroy two']));
    expect(record.suites.map(({ destruction }) => destruction)).toEqual([
      { kind: 'destroyed' },
      { kind: 'destroyed' },
    ]);
  });

  test('is not passed on to the destroy', async () => {
    const stop = new AbortController();
    let given: AbortSignal | undefined;
    const stacks = fakeStacks([], {
      destroy({ signal }) {
        given = signal;
        return Promise.resolve();
      },
    });
    const suites = fakeSuites([], () => {
      stop.abort();
      return Promise.resolve({ ...passedRun, status: { kind: 'cancelled' } });
    });
    await runWith([], { stacks, suites, stop: stop.signal, plan: planFor(['one']) });
    expect(given).toBeUndefined();
  });

  test('for the second time ends the wait for the destroy, and the record says so', async () => {
    const abandon = new AbortController();
    const stacks = fakeStacks([], {
      destroy() {
        abandon.abort();
        return new Promise<never>(() => undefined);
      },
    });
    const record = await runWith([], { stacks, abandon: abandon.signal, plan: planFor(['one']) });
    expect(record.suites[0]?.destruction).toMatchObject({
      kind: 'failed',
      message: 'one: interrupted a second time: the janitor destroys it in the background',
    });
  });
});

test('listening for an interruption ends with the run, so that runs can follow one another', () => {
  const listeners = (): number => process.listenerCount('SIGHUP');
  const before = listeners();
  const interruption = listenForInterruption(() => undefined);
  expect(listeners()).toBe(before + 1);
  process.emit('SIGHUP');
  expect(interruption.stop.aborted).toBe(true);
  interruption.end();
  expect(listeners()).toBe(before);
});
