import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Progress } from '../engine/progress.js';
import { replaceFile } from '../engine/replace-file.js';
import type { EngineEnvironment } from '../engine/setup.js';
import type { Scope } from './docker.js';
import { messageOf } from './errors.js';
import { destroyDeadRunnersStacks } from './gc.js';
import { setUpHost, type RunHost } from './hosts/host.js';
import { listenForInterruption } from './interruption.js';
import { startJanitor } from './janitor.js';
import { leaseBook } from './lease-book.js';
import { stackName } from './names.js';
import { makePlan, type Choices, type Plan } from './plan.js';
import { costLine } from './plan-report.js';
import { compileProgram } from './program.js';
import { junitReport } from './report/junit.js';
import { markdownSummary } from './report/summary.js';
import { runRecordSchema, type RunRecord } from './report/record.js';
import { admit, run } from './run.js';
import { withOwnEncryption } from './secrets.js';
import { pulumiStacks, type StackRequest } from './stack.js';
import { commandRunner } from './suite-runner.js';
import { markOf } from './take-over.js';

export interface Rehearsal {
  record: RunRecord;
  /** Holds `record.json`, `junit.xml`, `summary.md` and a folder per suite. */
  folder: string;
  /** Somebody interrupted twice: the janitor destroys what is up as soon as this process has ended. */
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
  const { aws } = plan;
  if (aws !== undefined) progress.note(costLine({ ...plan, aws }));
  const stackOf = ({ runId, suite }: Scope): string => stackName(plan.labels.branch, runId, suite);
  // While the set-up waits for others. Whoever needs it will hear of a failure.
  const program = compileProgram(checkout);
  program.catch(() => undefined);
  const { engine, host } = await setUpHost({ ...plan, stackOf }, progress);
  try {
    return await rehearseOn(host, { plan, engine, program, checkout, progress });
  } finally {
    await host.leave();
  }
}

interface Setting {
  plan: Plan;
  engine: EngineEnvironment;
  /** File of the compiled program. */
  program: Promise<string>;
  checkout: string;
  progress: Progress;
}

async function rehearseOn(
  host: RunHost,
  { plan, engine, program, checkout, progress }: Setting,
): Promise<Rehearsal> {
  // Before there is anything of this run: until then a signal ends it at once.
  await destroyDeadRunnersStacks({
    environment: engine,
    engine: host.engine,
    clouds: [],
    checkout,
    progress,
  });
  const interruption = listenForInterruption(() => {
    progress.note('Interrupted: destroying what is up. Interrupt again to leave that to the janitor.');
  });
  const { runId, folder } = plan;
  // The loader that the program's sources need is in NODE_OPTIONS; the compiled program does without.
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...engine.env,
    ...markOf(runId),
    NODE_OPTIONS: process.env['NODE_OPTIONS'],
  };
  const { pulumi } = engine;
  const stacks = pulumiStacks(pulumi, env, checkout, () => program);
  const dependencies = {
    room: host.room,
    leases: leaseBook({
      runId,
      memoryMb: plan.environment.memoryMb,
      ttlMinutes: plan.ttlMinutes,
      dockerHostOf: (stack) => host.dockerHostOf(stack),
      ...(host.region === undefined ? {} : { region: host.region }),
      env,
    }),
    stacks: {
      create: async (request: StackRequest) =>
        host.reached(await stacks.create(request), request.name, request.folder),
    },
    engine: host.engine,
    suites: host.suites(commandRunner(checkout, engine.env['REHEARSAL_CHROMIUM'], markOf(runId))),
  };
  const facts = await admit(plan, host.engine);
  const settings = await withOwnEncryption(plan.settings, pulumi, env);
  await mkdir(folder, { recursive: true });
  const janitor = startJanitor({ runId, checkout, pulumi, folder }, { ...process.env, ...engine.env });
  let unreported: string | undefined;
  const record = await run(
    { ...plan, settings },
    facts,
    dependencies,
    interruption,
    progress,
    async (known) => {
      unreported = await writeReports(runRecordSchema.parse(known), folder).then(
        () => undefined,
        (error: unknown) => `The reports can't be written: ${messageOf(error)}`,
      );
    },
  );
  const left = record.suites.some(({ destruction: { kind } }) => kind === 'failed' || kind === 'left over');
  if (!left) janitor.dismiss();
  interruption.end();
  return {
    record,
    folder,
    abandoned: interruption.abandon.aborted,
    ...(unreported === undefined ? {} : { unreported }),
  };
}

async function writeReports(record: RunRecord, folder: string): Promise<void> {
  const reports = {
    'record.json': `${JSON.stringify(record, undefined, 2)}\n`,
    'junit.xml': junitReport(record),
    'summary.md': markdownSummary(record),
  };
  for (const [name, text] of Object.entries(reports)) {
    await replaceFile(path.join(folder, name), text);
  }
}
