import { once } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { waitUntil } from '../../engine/wait.js';
import type { Room } from '../../runners/room.js';
import { fakeSuites, passedRun, planFor, type Calls } from './support/fakes.js';
import { runWith } from './support/run-with.js';

/** Of a host on which the second environment fits only when a job waits for it, and then not at once. */
function roomForOne(reason: string | undefined): Room {
  return {
    lookAgain: () => undefined,
    async enter(stack, _memoryMb, take, { isNeeded, onWait }) {
      if (stack.endsWith('-two')) {
        const options = { what: 'a job that waits', deadlineMs: 20_000, intervalMs: 5 };
        await waitUntil(() => Promise.resolve(isNeeded()), Boolean, options);
        if (reason !== undefined) onWait(reason);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await take();
    },
  };
}

describe('an environment that has to wait for room', () => {
  test('has waited for memory from when a job had nothing else to do', async () => {
    const { suites } = await runWith([], { room: roomForOne("they don't fit") });
    expect(suites[0]?.durations.memoryWaitMs).toBe(0);
    expect(suites[1]?.durations.memoryWaitMs).toBeGreaterThan(0);
  });

  test('has only waited for its turn as long as nobody needed it', async () => {
    const { suites } = await runWith([], { room: roomForOne(undefined) });
    expect(suites[1]?.durations.memoryWaitMs).toBe(0);
    expect(suites[1]?.durations.turnWaitMs).toBeGreaterThan(0);
  });

  test('keeps no other suite from its end', async () => {
    const calls: Calls = [];
    const room = roomForOne('a reason');
    const record = await runWith(calls, {
      room,
      suites: fakeSuites(calls, () => Promise.resolve(passedRun)),
    });
    expect(calls.indexOf('destroy one')).toBeLessThan(calls.indexOf('up two'));
    expect(record.verdict.decision).toBe('go');
  });
});

test('as many suites as there are jobs run at once', async () => {
  let running = 0;
  let most = 0;
  const two = new AbortController();
  const suites = fakeSuites([], async () => {
    running += 1;
    most = Math.max(most, running);
    if (running === 2) two.abort();
    // However long the other one takes to come.
    else if (!two.signal.aborted) await once(two.signal, 'abort');
    running -= 1;
    return passedRun;
  });
  const plan = planFor(['one', 'two', 'three'], { jobs: 2 });
  const record = await runWith([], { plan, suites });
  expect(most).toBe(2);
  expect(record).toMatchObject({ jobs: 2, mostAtOnce: 2, verdict: { decision: 'go' } });
});
