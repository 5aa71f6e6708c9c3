/** Something that was prepared for a job, well or badly. */
interface Prepared {
  /** Aborts, or has, when there is nothing left to do but to tidy it up: that waits for no job. */
  over: AbortSignal;
}

export interface Stages<Item, Ready extends Prepared, Result> {
  /**
   * @param isNeeded whether a job has nothing left to do until this is ready; before, it is prepared ahead. One that
   *   only tidies up still makes room.
   */
  prepare: (item: Item, isNeeded: () => boolean) => Promise<Ready>;
  /** @param free has the next job begin while this one only tidies up. The end frees it, too. */
  use: (ready: Ready, free: () => void) => Promise<Result>;
  onResult: (result: Result, item: Item) => Promise<void>;
}

/**
 * Prepares and uses the items in their order, as many at once as there are jobs, and one more is prepared ahead
 * while all jobs are at work.
 * @throws whatever a stage throws; stages are expected to put what goes wrong into their results.
 */
export function schedule<Item, Ready extends Prepared, Result>(
  items: readonly Item[],
  jobs: number,
  { prepare, use, onResult }: Stages<Item, Ready, Result>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const waiting = new Map<Item, Ready>();
    let begun = 0;
    let atWork = 0;
    /** At work, or tidying up after it. */
    let busy = 0;
    let ended = 0;

    const prepareOne = async (item: Item): Promise<void> => {
      const ready = await prepare(item, () => busy < jobs);
      waiting.set(item, ready);
      ready.over.addEventListener('abort', advance);
      advance();
    };
    const useOne = async (item: Item, ready: Ready, places: 0 | 1): Promise<void> => {
      waiting.delete(item);
      ready.over.removeEventListener('abort', advance);
      atWork += places;
      busy += places;
      let held: number = places;
      const free = (): void => {
        atWork -= held;
        held = 0;
        advance();
      };
      const result = await use(ready, free);
      free();
      busy -= places;
      await onResult(result, item);
      ended += 1;
      advance();
    };
    const advance = (): void => {
      if (ended === items.length) resolve();
      for (const [item, ready] of waiting) {
        if (ready.over.aborted) useOne(item, ready, 0).catch(reject);
        else if (atWork < jobs) useOne(item, ready, 1).catch(reject);
      }
      while (begun < items.length && begun - ended < jobs + (atWork >= jobs ? 1 : 0)) {
        begun += 1;
        prepareOne(items[begun - 1] as Item).catch(reject);
      }
    };
    advance();
  });
}
