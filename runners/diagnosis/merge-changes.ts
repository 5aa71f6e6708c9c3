import type { RunRecord } from '../report/record.js';
import type { Change, Diagnosis } from '../report/diagnosis-schema.js';
import { budgetChange } from './numbers.js';

/**
 * What all suites' diagnoses recommend together, each key and option once: of several sizes the largest, of several
 * counts the smallest, and the budget that all limits together need.
 */
export function mergeChanges(
  diagnosis: readonly Diagnosis[],
  environment: Pick<RunRecord['environment'], 'budgetMb' | 'limitMb'>,
): Change[] {
  const merged = new Map<string, Change>();
  for (const { conclusion } of diagnosis) {
    const changes = conclusion.kind === 'explained' ? (conclusion.recommendation?.changes ?? []) : [];
    for (const change of changes) {
      const key = nameOf(change);
      const known = merged.get(key);
      if (known === undefined || goesFurther(change, known)) merged.set(key, change);
    }
  }
  const others = [...merged.values()].filter((change) => nameOf(change) !== 'budgetMb');
  const grownMb = others.reduce((sum, change) => sum + growthOf(change), 0);
  return [...others, ...budgetChange(environment, environment.limitMb + grownMb)];
}

const nameOf = (change: Change): string => (change.kind === 'option' ? change.option : change.path.join('.'));

function goesFurther(change: Change, than: Change): boolean {
  const isCount = change.kind === 'option' || change.path.at(-1) === 'workers';
  return isCount ? change.to < than.to : change.to > than.to;
}

function growthOf(change: Change): number {
  const { to, from } = change;
  const isLimit = change.kind === 'setting' && change.path.at(-1) === 'memoryMb';
  return isLimit && typeof to === 'number' && typeof from === 'number' ? to - from : 0;
}
