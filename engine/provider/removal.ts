import { DeadlineExceededError, waitUntil } from '../wait.js';
import { failure, isNotFound, reasonOf } from './errors.js';

const deadlineMs = 30_000;
const intervalMs = 100;

interface Removal {
  /** Name of the resource, for the error. */
  what: string;
  remove: () => Promise<unknown>;
  /** Whether the engine refused because a container, which may be about to go, still uses the resource. */
  isInUse: (error: unknown) => boolean;
  signal: AbortSignal;
}

/** Removes a resource, if need be as soon as its last user is gone. Succeeds when it is gone already. */
export async function removeWhenUnused({ what, remove, isInUse, signal }: Removal): Promise<void> {
  /** @returns the engine's words about who still uses the resource, undefined when it is gone. */
  const attempt = async (): Promise<string | undefined> => {
    try {
      await remove();
    } catch (error) {
      if (isInUse(error)) return reasonOf(error);
      if (!isNotFound(error)) throw error;
    }
    return undefined;
  };
  try {
    const isGone = (users: string | undefined): boolean => users === undefined;
    await waitUntil(attempt, isGone, { what: `${what} is unused`, deadlineMs, intervalMs, signal });
  } catch (error) {
    const cause = error instanceof DeadlineExceededError ? error.lastSeen : error;
    throw failure(`${what} can't be removed`, cause);
  }
}
