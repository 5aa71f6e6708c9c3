import { resolveDockerHost } from '../../engine/docker.js';
import { systemClock } from '../../engine/wait.js';
import { imageNames, imageReference } from '../../images/manifest.js';
import type { ChaosContext, ChaosPart, ChaosResult } from './part.js';
import { copyImages, newEngine, type SecondEngine } from './support/second-engine.js';
import { inTurns, type Trial } from './support/trials.js';

/** In the words of the table, and what ends the daemon before it is started again. */
const ways: readonly (readonly [string, (engine: SecondEngine) => Promise<void>])[] = [
  ['restart of the Docker daemon', (engine) => engine.stop()],
  ['SIGKILL and start of the Docker daemon', (engine) => engine.kill()],
];

export const restarts: ChaosPart = {
  name: 'restarts',
  describe: (count) =>
    `${String(count * ways.length)} restarts of a Docker daemon, half of them after a SIGKILL, at random moments of a run`,
  run: tryAll,
};

async function tryAll(count: number, context: ChaosContext): Promise<ChaosResult> {
  const step = context.progress.step('a Docker Engine for this test alone');
  const engine = await newEngine();
  try {
    await engine.start();
    await copyImages(imageNames.map(imageReference), resolveDockerHost(), engine.dockerHost);
    step.done();
    const { dockerHost, within } = engine;
    return await inTurns(
      (wholeMs) =>
        Array.from({ length: count }, () =>
          ways.map(([title, end]) => restartAfter(context.random() * wholeMs, title, end, engine)),
        ).flat(),
      context,
      { dockerHost, within },
    );
  } finally {
    await engine.dismiss();
  }
}

function restartAfter(
  afterMs: number,
  title: string,
  end: (engine: SecondEngine) => Promise<void>,
  engine: SecondEngine,
): Trial {
  return {
    title: `${title} after ${(afterMs / 1000).toFixed(1)} s`,
    async attempt(ward) {
      const run = await ward.start();
      await systemClock.sleep(afterMs);
      await end(engine);
      await engine.start();
      await run.ended;
      const [record] = await run.records();
      // One that found no engine had not begun, and says so.
      if (record === undefined && !/does not answer|no Docker Engine answers/.test(run.output())) {
        throw new Error(`it left no record, and doesn't say why:\n${run.output()}`);
      }
      return ward.untilNothingIsLeft();
    },
  };
}
