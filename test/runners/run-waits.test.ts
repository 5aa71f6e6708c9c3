import { EventEmitter, once } from 'node:events';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { waitUntil } from '../../engine/wait.js';
import type { Room } from '../../runners/room.js';
import type { StackEngine } from '../../runners/stack.js';
import { fakeStacks, fakeSuites, passedRun, planFor, type Calls } from './support/fakes.js';
import { runWith } from './support/run-with.js';

async function called(calls: Calls, call: string, deadlineMs = 20_000): Promise<void> {
  await waitUntil(() => Promise.resolve(calls.includes(call)), Boolean, {
    what: call,
    deadlineMs,
    intervalMs: 5,
  });
}

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
    const room: Room = {
      lookAgain: () => undefined,
      async enter(stack, _memoryMb, take) {
        if (stack.endsWith('-two')) await called(calls, 'destroy one', 30_000);
        await take();
      },
    };
    const record = await runWith(calls, { room });
    expect(record.verdict.decision).toBe('go');
  }, 40_000);
});

describe('an environment that is prepared ahead and has to wait for room', () => {
  /** Writes down when Pulumi begins and how it ends, beside what the stacks write themselves. */
  const watched = (calls: Calls, stacks: StackEngine): StackEngine => ({
    async create(request) {
      const stack = await stacks.create(request);
      const suite = path.basename(request.folder);
      return {
        ...stack,
        async up(control) {
          calls.push(`begin ${suite}`);
          const aborted = new Promise<never>((_, reject) => {
            control.signal?.addEventListener('abort', () => {
              reject(new Error('pulumi up was cancelled'));
            });
          });
          return Promise.race([stack.up(control), aborted]).finally(() => calls.push(`end ${suite}`));
        },
      };
    },
  });

  test('gets ready meanwhile, but for its containers', async () => {
    const calls: Calls = [];
    const room = roomForOne(undefined);
    const stacks = watched(calls, fakeStacks(calls));
    await runWith(calls, {
      stacks,
      room: {
        ...room,
        async enter(stack, memoryMb, take, waiting) {
          const enters = async (): Promise<void> => {
            calls.push(`room for ${stack.replace(/^.*-/, '')}`);
            await take();
          };
          await room.enter(stack, memoryMb, enters, waiting);
        },
      },
    });
    expect(calls.indexOf('room for one')).toBeLessThan(calls.indexOf('begin one'));
    expect(calls.indexOf('begin two')).toBeLessThan(calls.indexOf('room for two'));
    expect(calls.indexOf('room for two')).toBeLessThan(calls.indexOf('up two'));
  });

  test('is up before the one that is dead is destroyed', async () => {
    const calls: Calls = [];
    const stacks = watched(calls, fakeStacks(calls));
    const free = new EventEmitter();
    const room: Room = {
      lookAgain: () => void free.emit('memory'),
      async enter(stack, _memoryMb, take) {
        if (stack.endsWith('-two')) await once(free, 'memory');
        await take();
      },
    };
    await runWith(calls, { room, stacks });
    expect(calls.indexOf('end two')).toBeLessThan(calls.indexOf('destroy one'));
  });

  test('is destroyed only when Pulumi has ended, once it gets no room any more', async () => {
    const calls: Calls = [];
    const stop = new AbortController();
    const room: Room = {
      lookAgain: () => undefined,
      async enter(stack, _memoryMb, take, { signal }) {
        if (stack.endsWith('-one')) return take();
        await once(signal, 'abort');
        throw new Error('interrupted');
      },
    };
    const suites = fakeSuites(calls, async () => {
      await called(calls, 'begin two');
      stop.abort();
      return passedRun;
    });
    const stacks = watched(calls, fakeStacks(calls));
    const record = await runWith(calls, { room, stacks, suites, stop: stop.signal });
    expect(record.suites[1]?.memory).toEqual({ measured: false, reason: 'the suite had not begun' });
    expect(calls).not.toContain('up two');
    expect(calls.indexOf('end two')).toBeLessThan(calls.indexOf('destroy two'));
  });

  test('gets nothing ready while a suite waits for it: that may take long', async () => {
    const calls: Calls = [];
    const room: Room = {
      lookAgain: () => undefined,
      async enter(_stack, _memoryMb, take) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        calls.push('room');
        await take();
      },
    };
    await runWith(calls, { room, stacks: watched(calls, fakeStacks(calls)), plan: planFor(['one']) });
    expect(calls.indexOf('room')).toBeLessThan(calls.indexOf('begin one'));
  });
});

test('a suite whose environment is up begins when the one before it has ended, not when that is removed', async () => {
  const calls: Calls = [];
  const suites = fakeSuites(calls, async ({ suite }) => {
    if (suite.name === 'one') await called(calls, 'up two');
    return passedRun;
  });
  const stacks = fakeStacks(calls, {
    async destroy() {
      await called(calls, 'suite two');
    },
  });
  const record = await runWith(calls, { stacks, suites });
  expect(record.verdict.decision).toBe('go');
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
