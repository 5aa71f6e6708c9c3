import { DeadlineExceededError } from '../engine/wait.js';

/**
 * The operation's result, unless it takes too long; the operation itself goes on.
 * @throws DeadlineExceededError, or whatever the operation throws.
 */
export async function withDeadline<T>(what: string, deadlineMs: number, operation: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new DeadlineExceededError(what, deadlineMs, undefined));
    }, deadlineMs);
  });
  try {
    return await Promise.race([operation, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
