export interface Stages<Item, Ready, Result> {
  /** @param isNeeded whether a job has nothing to do until this is ready; before, it is prepared ahead. */
  prepare: (item: Item, isNeeded: () => boolean) => Promise<Ready>;
  /** Also gets what the stop found ready, to tidy it up. */
  use: (ready: Ready) => Promise<Result>;
  onResult: (result: Result, index: number) => Promise<void>;
}

/**
 * Prepares and uses the items in their order, as many at once as there are jobs, and one more is prepared ahead
 * while all jobs are at work. After the stop nobody waits for a job any more.
 * @throws whatever a stage throws; stages are expected to put what goes wrong into their results.
 */
export function schedule<Item, Ready, Result>(
  items: readonly Item[],
  jobs: number,
  stop: AbortSignal,
  { prepare, use, onResult }: Stages<Item, Ready, Result>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const ready: (() => Promise<void>)[] = [];
    let begun = 0;
    let inUse = 0;
    let ended = 0;

    const useOne = async (made: Ready, index: number): Promise<void> => {
      inUse += 1;
      const result = await use(made);
      inUse -= 1;
      await onResult(result, index);
      ended += 1;
      advance();
    };
    const begin = async (item: Item, index: number): Promise<void> => {
      const made = await prepare(item, () => inUse < jobs);
      ready.push(() => useOne(made, index));
      advance();
    };
    const advance = (): void => {
      if (ended === items.length) {
        stop.removeEventListener('abort', advance);
        resolve();
        return;
      }
      while (inUse < jobs || stop.aborted) {
        const next = ready.shift();
        if (next === undefined) break;
        next().catch(reject);
      }
      while (begun < items.length && begun - ended < jobs + (inUse >= jobs ? 1 : 0)) {
        const index = begun;
        begun += 1;
        begin(items[index] as Item, index).catch(reject);
      }
    };
    stop.addEventListener('abort', advance);
    advance();
  });
}
