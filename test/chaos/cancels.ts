import { systemClock } from '../../engine/wait.js';
import { killProcessesOf } from '../../runners/processes.js';
import type { ChaosPart } from './part.js';
import { inTurns, type Trial } from './support/trials.js';

const cancelsPerCount = 2;

export const cancels: ChaosPart = {
  name: 'cancels',
  describe: (count) =>
    `${String(count * cancelsPerCount)} runs cancelled at random moments as a CI does it: SIGINT, 7.5 s later ` +
    `SIGTERM, 2.5 s later SIGKILL of everything that carries the CI's mark`,
  run: (count, context) =>
    inTurns(
      (wholeMs) =>
        Array.from({ length: count * cancelsPerCount }, () => cancelAfter(context.random() * wholeMs)),
      context,
    ),
};

function cancelAfter(afterMs: number): Trial {
  return {
    title: `cancelled after ${(afterMs / 1000).toFixed(1)} s`,
    async attempt(ward) {
      const run = await ward.start();
      await systemClock.sleep(afterMs);
      run.kill('SIGINT');
      if (!(await run.endsWithin(7_500))) {
        run.kill('SIGTERM');
        if (!(await run.endsWithin(2_500))) run.kill('SIGKILL');
      }
      await run.ended;
      await killProcessesOf({ mark: ward.mark });
      const cleanupMs = await ward.untilNothingIsLeft();
      const [last] = (await ward.records()).slice(-1);
      // A run that had not begun says so by its exit code; there is nothing to report then.
      if (last === undefined && run.output().includes('environment up')) {
        throw new Error(`it left no record:\n${run.output()}`);
      }
      return cleanupMs;
    },
  };
}
