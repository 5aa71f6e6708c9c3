import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { withDeadline } from '../../runners/deadline.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

test('an operation that never ends is left alone at its deadline', async () => {
  const never = new Promise<never>(() => undefined);
  const refused = expect(withDeadline('the answer', 30_000, never)).rejects.toThrow(
    'the answer: not reached within 30 s',
  );
  await jest.advanceTimersByTimeAsync(30_000);
  await refused;
});

test('an operation that ends in time has its own end, and no timer is left', async () => {
  await expect(withDeadline('the answer', 30_000, Promise.resolve(42))).resolves.toBe(42);
  await expect(withDeadline('the answer', 30_000, Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(jest.getTimerCount()).toBe(0);
});
