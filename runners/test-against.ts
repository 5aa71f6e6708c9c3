import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseConfig } from '../components/config.js';
import type { Endpoints } from '../components/outputs.js';
import type { Progress } from '../engine/progress.js';
import { setUp } from '../engine/setup.js';
import { exitCodes } from './exit-codes.js';
import { hostOf } from './hosts/host.js';
import { listenForInterruption } from './interruption.js';
import { assertIsOneOf, newRunId } from './names.js';
import { environmentFileName, runsFolder } from './plan.js';
import { redactFolder, secretsOfEndpoints } from './redact.js';
import type { Outcome } from './report/record.js';
import { explain } from './report/terminal.js';
import { readSettings, readSettingsFile, settingsFile, type Settings } from './settings.js';
import { standingStacks, type StandingStacks } from './stack.js';
import { commandRunner, judge, type SuiteRun, type SuiteRunner } from './suite-runner.js';
import { allSuites, chooseSuites, type Suite } from './suites.js';

interface Choices {
  stack: string;
  suites: readonly string[];
  categories: readonly string[];
  users: number;
}

/**
 * Runs suites one after the other against a stack that is up and stays up: no verdict, since what others do to
 * the environment meanwhile isn't known.
 * @returns the exit code.
 */
export async function testAgainst(choices: Choices, checkout: string, progress: Progress): Promise<number> {
  const engine = await setUp({ progress, images: false, installDocker: false });
  const stacks = standingStacks(engine, checkout);
  assertIsOneOf(await stacks.names(), choices.stack);
  const known = await suitesFor(choices, stacks, checkout, (line) => {
    progress.note(line);
  });
  const suites = chooseSuites(known, choices.suites, choices.categories);
  const outputs = await stacks.outputsOf(choices.stack);
  const host = hostOf(outputs.target, engine.dockerHost);
  try {
    const { endpoints } = await host.reachable(outputs);
    const runner = host.suites(commandRunner(checkout, engine.env['REHEARSAL_CHROMIUM']));
    return await testEach(suites, endpoints, runner, { ...choices, checkout, progress });
  } finally {
    await host.leave();
  }
}

async function testEach(
  suites: readonly Suite[],
  endpoints: Endpoints,
  runner: SuiteRunner,
  { users, checkout, progress }: { users: number; checkout: string; progress: Progress },
): Promise<number> {
  const secrets = secretsOfEndpoints(endpoints);
  const interruption = listenForInterruption(() => {
    progress.note('Interrupted: ending the suite.');
  });
  const runFolder = path.join(checkout, runsFolder, newRunId(Date.now()));

  const outcomes: Outcome[] = [];
  for (const suite of suites) {
    if (interruption.stop.aborted) break;
    const folder = path.join(runFolder, suite.name);
    await mkdir(folder, { recursive: true });
    const environmentFile = path.join(folder, environmentFileName);
    await writeFile(environmentFile, JSON.stringify(endpoints), { mode: 0o600 });
    const step = progress.step(suite.name);
    const onLine = (line: string): void => {
      step.update(line);
    };
    try {
      const { stop: signal } = interruption;
      const suiteRun = await runner.run({ suite, environmentFile, folder, users, secrets, signal, onLine });
      const outcome = judge(suiteRun);
      outcomes.push(outcome);
      if (outcome.kind === 'passed') step.done(summaryOf(suiteRun));
      else step.fail(explain(outcome, suiteRun.tests.measured ? suiteRun.tests.value : []).join('\n'));
      for (const problem of suiteRun.problems) progress.note(`${suite.name}: ${problem}`);
    } finally {
      await rm(environmentFile, { force: true });
      for (const problem of await redactFolder(folder, secrets)) progress.note(problem);
    }
  }
  progress.note(`Artifacts: ${runFolder}`);
  if (interruption.stop.aborted) return exitCodes.interrupted;
  if (outcomes.some(({ kind }) => kind === 'errored')) return exitCodes.harnessError;
  return outcomes.every(({ kind }) => kind === 'passed') ? exitCodes.go : exitCodes.noGo;
}

/**
 * A stack that a run kept has the suites of that run's settings, for as long as the run's folder is there; those that a
 * run of this checkout would have can be named besides.
 */
async function suitesFor(
  { stack, suites, categories }: Choices,
  stacks: StandingStacks,
  checkout: string,
  note: (line: string) => void,
): Promise<Suite[]> {
  const suitesOf = ({ config, source }: Settings): Suite[] =>
    allSuites(parseConfig(config, source), checkout);
  const common = suitesOf(await readSettings({ checkout, stack, mayBeMissing: true, note }));
  const { run = stack, suite = '' } = (await stacks.labelsOf(stack)) ?? {};
  const ofRun = path.join(checkout, runsFolder, run, suite, settingsFile(stack));
  if (!existsSync(ofRun)) return common;
  const own = suitesOf(await readSettingsFile(ofRun));
  if (suites.length === 0 && categories.length === 0) return own;
  return [...own, ...common.filter(({ name }) => own.every((other) => other.name !== name))];
}

function summaryOf({ tests, latency }: SuiteRun): string {
  const count = tests.measured ? tests.value.length : 0;
  const delivery = latency.measured ? `, event delivery p99 ${latency.value.p99Ms.toFixed(1)} ms` : '';
  return `${String(count)} tests passed${delivery}`;
}
