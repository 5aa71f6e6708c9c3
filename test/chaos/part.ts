import type { Progress } from '../../engine/progress.js';
import type { Rows } from '../../runners/report/content.js';

export interface ChaosResult {
  rows: Rows;
  passed: number;
  failed: number;
}

export interface ChaosContext {
  progress: Progress;
  /** Ends a part early, with what is known by then. */
  signal: AbortSignal;
  /** From 0 to below 1. What a part leaves to chance, it takes from here: the seed brings it back. */
  random: () => number;
}

/** One thing that a run has to survive, tried again and again. */
export interface ChaosPart {
  name: string;
  /** What it tries how often, for `count`. */
  describe: (count: number) => string;
  /** Says through `progress` what failed, and why. */
  run: (count: number, context: ChaosContext) => Promise<ChaosResult>;
}
