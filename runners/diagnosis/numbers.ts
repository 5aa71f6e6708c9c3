import { hostReserveMb } from '../../components/sizing.js';
import type { Change } from '../report/diagnosis-schema.js';
import { limitOf, type Case } from './case.js';
import type { Advice } from './facts.js';

/** Above what was needed, so that the next run doesn't end at the same place. */
const headroom = 1.1;

export const mib = (value: number): string => `${value.toFixed(0)} MiB`;

/** Up to a whole number of these steps: limits are figures that people remember. */
export const roundUpMb = (mb: number): number => {
  const stepMb = mb < 1024 ? 64 : 256;
  return Math.ceil(mb / stepMb) * stepMb;
};

const limitForMb = (needMb: number): number => roundUpMb(needMb * headroom);

export interface Need {
  service: string;
  needMb: number;
  /** Where the need comes from, in words. */
  because: string;
  /** Other settings that go with it. */
  besides?: Change[];
}

/**
 * A limit that holds the need, and the budget that has to grow with it. Never derived from page cache: `needMb` comes
 * from samples without it, or from what a process said of itself.
 * @returns undefined when that doesn't fit the host.
 */
export function memoryAdvice(of: Case, { service, needMb, because, besides = [] }: Need): Advice | undefined {
  const { budgetMb, limitMb: sumMb } = of.environment;
  const fromMb = limitOf(of, service);
  const toMb = Math.max(fromMb, limitForMb(needMb));
  const newSumMb = sumMb - fromMb + toMb;
  if (newSumMb > of.host.memoryMb - hostReserveMb) return undefined;
  const changes: Change[] = [...besides];
  let reason = because;
  if (toMb > fromMb) {
    changes.unshift({ kind: 'setting', path: ['services', service, 'memoryMb'], from: fromMb, to: toMb });
    reason += `, and a tenth more: a limit of ${mib(toMb)}`;
  }
  const budget = budgetChange(of.environment, newSumMb);
  if (budget.length > 0) {
    changes.push(...budget);
    reason += `. The limits then sum up to ${mib(newSumMb)}, above the budget of ${mib(budgetMb)}: it has to grow too`;
  }
  return changes.length === 0 ? undefined : { changes, reason };
}

/** As many users as the limit holds; undefined when not even one, or no fewer than there were. */
export function usersAdvice(
  of: Case,
  { limitMb, baselineMb, perUserMb }: { limitMb: number; baselineMb: number; perUserMb: number },
): Advice | undefined {
  const held = Math.floor((limitMb / headroom - baselineMb) / perUserMb);
  // The option is for each suite.
  const from = of.users / of.suitesAtOnce;
  const to = Math.floor(held / of.suitesAtOnce);
  if (to < 1 || to >= from) return undefined;
  return {
    changes: [{ kind: 'option', option: '--users', from, to }],
    reason:
      `the host has no room for a larger limit: ${mib(limitMb)}, a tenth kept free, hold ${String(held)} users ` +
      `of ${mib(perUserMb)} each above ${mib(baselineMb)}`,
  };
}

/** What the budget has to be for limits that sum up to this; nothing when it is enough. */
export function budgetChange({ budgetMb }: Pick<Case['environment'], 'budgetMb'>, sumMb: number): Change[] {
  if (sumMb <= budgetMb) return [];
  return [{ kind: 'setting', path: ['budgetMb'], from: budgetMb, to: roundUpMb(sumMb) }];
}
