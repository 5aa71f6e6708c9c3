import type { Progress, Step } from '../engine/progress.js';
import { messageOf } from './errors.js';
import type { SuiteRecord } from './report/record.js';
import type { Timeline } from './timeline.js';

export type Durations = Omit<SuiteRecord['durations'], 'totalMs'>;
type TimedPhase = Exclude<keyof Durations, 'memoryWaitMs' | 'turnWaitMs'>;

/** Runs an operation as one step that people see and the record times. */
export type RunPhase = <T>(
  duration: TimedPhase,
  operation: (onLine: (line: string) => void) => Promise<T>,
  /** Why the operation's result isn't what was hoped for, if it isn't. */
  failureOf?: (result: T) => string | undefined,
) => Promise<T>;

const titles: Record<TimedPhase, string> = {
  createMs: 'stack',
  upMs: 'environment up',
  suiteMs: 'suite',
  destroyMs: 'environment destroyed',
};

/** The phases of one suite; how long each took goes into `durations`, also when it failed. */
export function phasesOf(
  suiteName: string,
  progress: Progress,
  durations: Durations,
  timeline: Timeline,
): RunPhase {
  return async (duration, operation, failureOf = () => undefined) => {
    const step = progress.step(`${suiteName}: ${titles[duration]}`);
    const startedMs = performance.now();
    const beganMs = Date.now();
    try {
      const result = await operation((line) => {
        step.update(line);
      });
      const failure = failureOf(result);
      if (failure === undefined) step.done();
      else step.fail(firstLine(failure));
      return result;
    } catch (error) {
      step.fail(firstLine(messageOf(error)));
      throw error;
    } finally {
      durations[duration] = performance.now() - startedMs;
      timeline.span(suiteName, titles[duration], beganMs, beganMs + durations[duration]);
    }
  };
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

/**
 * Tells people why a suite waits for memory, if it does; how long goes into `durations`. Until somebody is told, it
 * isn't needed yet: that is a wait for its turn.
 */
export function showWaiting(
  suiteName: string,
  progress: Progress,
  durations: Durations,
): { tell: (reason: string) => void; end: () => void } {
  const startedMs = performance.now();
  let step: Step | undefined;
  let toldMs: number | undefined;
  return {
    tell(reason) {
      toldMs ??= performance.now();
      step ??= progress.step(`${suiteName}: waiting for memory: ${reason}`);
      step.update(`now ${reason}`);
    },
    end() {
      step?.done();
      const nowMs = performance.now();
      durations.memoryWaitMs = nowMs - (toldMs ?? nowMs);
      durations.turnWaitMs = (toldMs ?? nowMs) - startedMs;
    },
  };
}
