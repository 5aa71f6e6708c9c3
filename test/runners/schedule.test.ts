import { describe, expect, test } from '@jest/globals';
import { schedule } from '../../runners/schedule.js';

/** A schedule whose stages end when the test says so. */
function controlled(count: number, jobs: number, over: AbortSignal = new AbortController().signal) {
  const log: string[] = [];
  const results: string[] = [];
  const needed = new Map<string, () => boolean>();
  const open = new Map<string, () => void>();
  const stage = (what: string): Promise<void> => {
    log.push(what);
    return new Promise((resolve) => open.set(what, resolve));
  };
  const items = Array.from({ length: count }, (_, index) => String(index + 1));
  const ended = schedule(items, jobs, {
    async prepare(item: string, isNeeded) {
      needed.set(item, isNeeded);
      await stage(`up ${item}`);
      return { item, over };
    },
    async use({ item }, free) {
      await stage(`suite ${item}`);
      free();
      await stage(`down ${item}`);
      return `result ${item}`;
    },
    onResult(result, item) {
      results[Number(item) - 1] = result;
      return Promise.resolve();
    },
  });
  const end = async (...stages: string[]): Promise<void> => {
    for (const what of stages) {
      open.get(what)?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const isNeeded = (item: string): boolean => needed.get(item)?.() ?? false;
  return { log, results, ended, end, isNeeded };
}

describe('one job', () => {
  test('begins with one environment, and prepares the next while it is at work', async () => {
    const { log, end } = controlled(3, 1);
    expect(log).toEqual(['up 1']);
    await end('up 1');
    expect(log).toEqual(['up 1', 'suite 1', 'up 2']);
  });

  test('never has more than two environments, and one suite', async () => {
    const { log, end, ended, results } = controlled(3, 1);
    await end('up 1', 'up 2');
    expect(log).toEqual(['up 1', 'suite 1', 'up 2']);
    await end('suite 1');
    expect(log.slice(3)).toEqual(['suite 2', 'down 1']);
    await end('down 1');
    expect(log.slice(5)).toEqual(['up 3']);
    await end('up 3', 'suite 2');
    expect(log.slice(6)).toEqual(['suite 3', 'down 2']);
    await end('suite 3', 'down 3', 'down 2');
    await ended;
    expect(results).toEqual(['result 1', 'result 2', 'result 3']);
  });

  test('prepares none ahead while it waits for one itself', async () => {
    const { log, end, isNeeded } = controlled(3, 1);
    await end('up 1');
    expect(isNeeded('2')).toBe(false);
    await end('suite 1');
    expect(isNeeded('2')).toBe(false);
    await end('down 1');
    expect(isNeeded('2')).toBe(true);
    expect(log).toEqual(['up 1', 'suite 1', 'up 2', 'down 1']);
  });
});

describe('several jobs', () => {
  test('begin together, and one environment is prepared ahead for them all', async () => {
    const { log, end } = controlled(5, 2);
    expect(log).toEqual(['up 1', 'up 2']);
    await end('up 2');
    expect(log).toEqual(['up 1', 'up 2', 'suite 2']);
    await end('up 1');
    expect(log.slice(3)).toEqual(['suite 1', 'up 3']);
    await end('up 3');
    expect(log).toHaveLength(5);
    await end('suite 2', 'down 2');
    expect(log.slice(5)).toEqual(['suite 3', 'down 2', 'up 4']);
  });

  test('keep the results in the order of the items', async () => {
    const { end, ended, results } = controlled(3, 3);
    await end('up 3', 'up 1', 'up 2', 'suite 2', 'down 2', 'suite 3', 'down 3', 'suite 1', 'down 1');
    await ended;
    expect(results).toEqual(['result 1', 'result 2', 'result 3']);
  });

  test('are no more than the items', async () => {
    const { log, end, ended } = controlled(2, 5);
    await end('up 1', 'up 2', 'suite 1', 'suite 2', 'down 1', 'down 2');
    await ended;
    expect(log).toEqual(['up 1', 'up 2', 'suite 1', 'suite 2', 'down 1', 'down 2']);
  });
});

test('what is over waits for no job, and takes none', async () => {
  const over = new AbortController();
  const { log, end } = controlled(4, 1, over.signal);
  await end('up 1', 'up 2');
  expect(log).toEqual(['up 1', 'suite 1', 'up 2']);
  over.abort();
  expect(log).toEqual(['up 1', 'suite 1', 'up 2', 'suite 2']);
  await end('suite 2', 'down 2');
  expect(log.slice(4)).toEqual(['down 2', 'up 3']);
  await end('up 3');
  expect(log.slice(6)).toEqual(['suite 3']);
});

test('a job that never says it is free is so at its end', async () => {
  const log: string[] = [];
  await schedule([1, 2], 1, {
    prepare: () => Promise.resolve({ over: new AbortController().signal }),
    use: () => Promise.resolve(log.push('used')),
    onResult: () => Promise.resolve(),
  });
  expect(log).toEqual(['used', 'used']);
});

test('what a stage throws ends the schedule', async () => {
  const ended = schedule([1], 1, {
    prepare: () => Promise.reject(new Error('broken')),
    use: () => Promise.resolve(),
    onResult: () => Promise.resolve(),
  });
  await expect(ended).rejects.toThrow('broken');
});
