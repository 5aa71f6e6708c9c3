import type { Memory } from './record.js';

type Usage = Pick<NonNullable<Memory['services'][keyof Memory['services']]>, 'baselineMb' | 'peakMb'>;

/** What each of the users at work at the same time added at the peak; undefined without a baseline. */
export const growthPerUserMb = ({ baselineMb, peakMb }: Usage, users: number): number | undefined =>
  baselineMb === undefined ? undefined : (peakMb - baselineMb) / users;
