import type { Progress } from '../../engine/progress.js';
import type { Rows } from '../../runners/report/content.js';

export interface ChaosResult {
  rows: Rows;
  passed: number;
  failed: number;
}

/** One thing that a run has to survive, tried again and again. */
export interface ChaosPart {
  name: string;
  /** What it tries how often, for `count`. */
  describe: (count: number) => string;
  /** Says through `progress` what failed, and why. @param signal ends it early, with what is known by then. */
  run: (count: number, progress: Progress, signal: AbortSignal) => Promise<ChaosResult>;
}
