import type { Progress } from '../../engine/progress.js';

/** For tests: nobody watches. */
export const silentProgress: Progress = {
  step: () => ({ update: () => undefined, done: () => undefined, fail: () => undefined }),
  note: () => undefined,
};
