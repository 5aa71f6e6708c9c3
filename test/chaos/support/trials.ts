import { rm } from 'node:fs/promises';
import { messageOf } from '../../../runners/errors.js';
import type { ChaosContext, ChaosResult } from '../part.js';
import { newWard, type Ward, type WardOptions } from './ward.js';

/** One run that is harmed. */
export interface Trial {
  /** What is done to it, and when. */
  title: string;
  /** @returns how long the cleanup took, ms. @throws Error when the run did not withstand it. */
  attempt: (ward: Ward) => Promise<number>;
}

/**
 * Tries one after the other in one state, so that each run is the next one after what was done to the last; the last
 * one is a run that nobody harms.
 * @param trialsFor gets how long such a run takes, ms.
 * @param place of the ward, where it isn't an ordinary one.
 */
export async function inTurns(
  trialsFor: (wholeMs: number) => Trial[],
  { progress, signal }: ChaosContext,
  place: Omit<WardOptions, 'signal'> = {},
): Promise<ChaosResult> {
  const ward = await newWard({ ...place, signal });
  const rows: string[][] = [];
  let failed = 0;
  const tryOne = async ({ title, attempt }: Trial): Promise<void> => {
    const step = progress.step(title);
    const folders = async (): Promise<string[]> => (await ward.records()).map(({ folder }) => folder);
    // What failed stays for a look.
    const earlier = await folders();
    try {
      const cleanupMs = await attempt(ward);
      step.done();
      rows.push([title, 'withstood', (cleanupMs / 1000).toFixed(1)]);
      const own = (await folders()).filter((folder) => !earlier.includes(folder));
      for (const folder of own) await rm(folder, { recursive: true });
    } catch (error) {
      if (signal.aborted) return; // What was cut short proves nothing.
      failed += 1;
      step.fail(messageOf(error));
      rows.push([title, 'failed', '?']);
    }
  };

  const startedMs = performance.now();
  await tryOne(unharmed);
  const trials = trialsFor(performance.now() - startedMs);
  for (const trial of [...trials, unharmed]) if (!signal.aborted) await tryOne(trial);
  if (failed === 0) await ward.dismiss();
  const head = ['what was done to a run', 'result', 'cleaned up after s'];
  return { rows: { head, rows }, passed: rows.length - failed, failed };
}

export const unharmed: Trial = {
  title: 'nothing',
  async attempt(ward) {
    const run = await ward.start();
    await run.ended;
    const [last] = (await ward.records()).slice(-1);
    if (last?.record.suites[0]?.destruction.kind !== 'destroyed') {
      throw new Error(`it did not end as it should:\n${run.output()}`);
    }
    return ward.untilNothingIsLeft();
  },
};
