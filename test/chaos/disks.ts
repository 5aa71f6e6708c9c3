import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { checkout } from '../../engine/state.js';
import { systemClock } from '../../engine/wait.js';
import { runsFolder } from '../../runners/plan.js';
import type { ChaosContext, ChaosPart, ChaosResult } from './part.js';
import { foldersOn, newDisk, type SmallDisk } from './support/small-disk.js';
import { inTurns, unharmed, type Trial } from './support/trials.js';

const disksPerCount = 2;

export const disks: ChaosPart = {
  name: 'disks',
  describe: (count) =>
    `the disk of state and artifacts full at ${String(count * disksPerCount)} random moments of a run, ` +
    'half of them for good',
  run: tryAll,
};

async function tryAll(count: number, context: ChaosContext): Promise<ChaosResult> {
  const disk = await newDisk();
  try {
    const [state = '', runs = ''] = await foldersOn(disk, ['state', 'runs']);
    const artifacts = path.join(checkout, runsFolder);
    await mkdir(artifacts, { recursive: true });
    // Only the run itself sees the disk where it writes its artifacts.
    const within = [
      'unshare',
      '--mount',
      'sh',
      '-c',
      'mount --bind "$0" "$1" && shift && exec "$@"',
      runs,
      artifacts,
    ];
    return await inTurns(
      (wholeMs) =>
        Array.from({ length: count }, () =>
          [false, true].map((stays) => fullAfter(context.random() * wholeMs, stays, disk)),
        ).flat(),
      context,
      { state, runs, within },
    );
  } finally {
    await disk.dismiss();
  }
}

const unreported = "The reports can't be written";
const full = /ENOSPC|no space left|no room for/i;

function fullAfter(afterMs: number, stays: boolean, disk: SmallDisk): Trial {
  return {
    title: `disk full after ${(afterMs / 1000).toFixed(1)} s, ${stays ? 'and it stays so' : 'once'}`,
    async attempt(ward) {
      const run = await ward.start();
      await systemClock.sleep(afterMs);
      await disk.fill(stays);
      await run.ended;
      const output = run.output();
      const [last] = await run.records();
      // A report that was written before the last suite ended says of it that the runner did.
      const isWhole = last?.record.suites.every(({ outcome }) => outcome.kind !== 'not run') === true;
      if (!isWhole && !output.includes(unreported) && !full.test(output)) {
        throw new Error(`it left no report, and doesn't say why:\n${output}`);
      }
      const cleanupMs = await ward.untilNothingIsLeft('state');
      await disk.free();
      await unharmed.attempt(ward);
      return cleanupMs;
    },
  };
}
