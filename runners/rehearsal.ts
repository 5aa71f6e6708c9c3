import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { connectDocker } from '../engine/docker.js';
import type { Progress } from '../engine/progress.js';
import { setUp } from '../engine/setup.js';
import { dockerEngine } from './docker.js';
import { messageOf } from './errors.js';
import { listenForInterruption } from './interruption.js';
import { makePlan, type Choices } from './plan.js';
import { compileProgram } from './program.js';
import { junitReport } from './report/junit.js';
import { markdownSummary } from './report/summary.js';
import { runRecordSchema, type RunRecord } from './report/record.js';
import { run } from './run.js';
import { withOwnEncryption } from './secrets.js';
import { pulumiStacks } from './stack.js';
import { commandRunner } from './suite-runner.js';

export interface Rehearsal {
  record: RunRecord;
  /** Holds `record.json`, `junit.xml`, `summary.md` and a folder per suite. */
  folder: string;
  /** Somebody interrupted twice: a destroy may still be under way, and is not waited for. */
  abandoned: boolean;
  /** Why the reports aren't in the folder, if they aren't. */
  unreported?: string;
}

/**
 * The main job from the settings to the reports on disk.
 * @throws ConfigError or the set-up's error: nothing was started then.
 */
export async function rehearse(choices: Choices, checkout: string, progress: Progress): Promise<Rehearsal> {
  const plan = await makePlan(choices, checkout, (line) => {
    progress.note(line);
  });
  const engine = await setUp({ progress });
  const interruption = listenForInterruption(() => {
    progress.note('Interrupted: destroying what is up. Interrupt again to stop waiting for it.');
  });
  let compiled: Promise<string> | undefined;
  const program = (): Promise<string> => (compiled ??= compileProgram(checkout, plan.folder));
  // The loader that the sources need is in NODE_OPTIONS; the compiled program does without.
  const env = { ...process.env, ...engine.env, NODE_OPTIONS: process.env['NODE_OPTIONS'] };
  const dependencies = {
    stacks: pulumiStacks(engine.pulumi, env, checkout, program),
    engine: dockerEngine(connectDocker(engine.dockerHost)),
    suites: commandRunner(checkout, engine.env['REHEARSAL_CHROMIUM']),
  };
  const settings = await withOwnEncryption(plan.settings, engine.pulumi, env);
  const record = runRecordSchema.parse(
    await run({ ...plan, settings }, dependencies, interruption, progress),
  );
  const unreported = await writeReports(record, plan.folder).then(
    () => undefined,
    (error: unknown) => `The reports can't be written: ${messageOf(error)}`,
  );
  interruption.end();
  return {
    record,
    folder: plan.folder,
    abandoned: interruption.abandon.aborted,
    ...(unreported === undefined ? {} : { unreported }),
  };
}

async function writeReports(record: RunRecord, folder: string): Promise<void> {
  await writeFile(path.join(folder, 'record.json'), `${JSON.stringify(record, undefined, 2)}\n`);
  await writeFile(path.join(folder, 'junit.xml'), junitReport(record));
  await writeFile(path.join(folder, 'summary.md'), markdownSummary(record));
}
