import type { RunRecord } from './report/record.js';

/** 1 to 9 keep Pulumi's meanings; every other command that fails ends with 1. */
export const exitCodes = {
  go: 0,
  /** Wrong use, wrong settings, a host that can't do it: nothing was started. */
  error: 1,
  /** Interrupted: Pulumi's "cancelled". */
  interrupted: 8,
  noGo: 10,
  /** At least one suite got no fair try, for the harness's or the environment's sake. */
  harnessError: 11,
  /** Something of the run is left on the host. */
  leak: 12,
  /** What was chosen holds, but not every suite was chosen. */
  partial: 13,
} as const;

/** The gravest thing counts: what is left behind, then the interruption, then the harness, then the verdict. */
export function exitCodeOf({ verdict, suites, interrupted }: RunRecord): number {
  if (verdict.decision === 'go') return exitCodes.go;
  if (suites.some(({ destruction }) => destruction.kind === 'failed' || destruction.kind === 'left over')) {
    return exitCodes.leak;
  }
  if (interrupted) return exitCodes.interrupted;
  if (suites.some(({ outcome }) => outcome.kind === 'errored')) return exitCodes.harnessError;
  return verdict.partial ? exitCodes.partial : exitCodes.noGo;
}
