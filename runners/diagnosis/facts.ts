import type { Crash } from '../report/record.js';
import type { Change, Evidence } from '../report/diagnosis-schema.js';
import type { Case } from './case.js';

/** What a fact is about, for the rules that go on from it. */
type About =
  /** Where every chain begins: why the suite isn't good for a "go"; a crash that is a reason by itself. */
  | { kind: 'symptom'; crash?: Crash }
  /** The suite's connections broke. */
  | { kind: 'connections broke' }
  /** A service's container ended. */
  | { kind: 'service ended'; crash: Crash }
  /** A process of a service ended, its container runs on. */
  | { kind: 'process ended'; service: string; at?: string }
  | { kind: 'unhealthy'; crash: Crash }
  /** The kernel killed at the container's limit. */
  | { kind: 'oom kill'; crash: Crash }
  /** Nothing lies behind it that a run could show. */
  | { kind: 'root'; advice?: Advice };

/** How the numbers follow from the evidence. */
export interface Advice {
  changes: Change[];
  reason: string;
}

export type Fact = About & {
  says: string;
  evidence: [Evidence, ...Evidence[]];
  /** What connects it with the fact that it explains. */
  link: string;
};
export type FactKind = Fact['kind'];
export type FactOf<K extends FactKind> = Extract<Fact, { kind: K }>;

/** Explains one kind of fact by another, when all that it needs is there. */
export interface Rule<K extends FactKind = FactKind> {
  id: string;
  /** The kinds of fact that it may be the cause of. */
  explains: readonly K[];
  /** What has to be in the evidence, for people. */
  needs: string;
  /** What it recommends, for people; absent when nothing. */
  recommends?: string;
  /** @returns undefined unless the evidence holds the cause and its connection with the effect. */
  causeOf(effect: FactOf<K>, of: Case): Fact | undefined;
}

/** Keeps a rule's own types while the list holds rules for every kind of fact. */
export function rule<K extends FactKind>(given: Rule<K>): Rule {
  return {
    ...given,
    causeOf: (effect, of) =>
      (given.explains as readonly FactKind[]).includes(effect.kind)
        ? given.causeOf(effect as FactOf<K>, of)
        : undefined,
  };
}
