import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { setUp } from '../../engine/setup.js';
import { checkout } from '../../engine/state.js';
import { dockerEngine } from '../../runners/docker.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { isStackOf, newRunId, slugOf, stackName } from '../../runners/names.js';
import { compileProgram } from '../../runners/program.js';
import { pulumiStacks, type StackEngine, type StandingStacks } from '../../runners/stack.js';
import { runRecordSchema, type RunRecord } from '../../runners/report/record.js';
import { silentProgress } from '../helpers/progress.js';
import {
  deletion,
  fillIn,
  pullRequest,
  push,
  readGcWorkflow,
  readWorkflow,
  runStep,
  scheduled,
  type Delivery,
  type StepResult,
  type Workflow,
} from '../helpers/workflow.js';
import { whileNobodyElseCollects } from './support/collecting.js';
import { leaveState } from './support/left-behind.js';

/** The workflow's scripts, each run as GitHub's runner would, in a fresh checkout whose ci stack is small. */
const owner = `workflow-test-${String(process.pid)}`;
const repository = `${owner}/shop`;
const suite = 'smoke';
const hostile = 'a/$(touch${IFS}pwned)`touch${IFS}pwned`;"\'&|>pwned🙂--help';
const timeoutMs = 10 * 60_000;

let workflow: Workflow;
let cwd: string;

beforeAll(async () => {
  workflow = await readWorkflow();
  cwd = await freshCheckout();
});

afterAll(async () => {
  await rm(cwd, { recursive: true });
  // Pulumi takes the home of the user, not that of the environment.
  const states = path.join(userInfo().homedir, '.local', 'state', 'rehearsal');
  await rm(path.join(states, owner), { recursive: true, force: true });
  await rmdir(states).catch(() => undefined); // Others' may be there.
});

beforeEach(async () => {
  await rm(runsFolder(), { recursive: true, force: true });
});

async function freshCheckout(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'workflow-'));
  const left = new Set(['.git', '.rehearsal', 'coverage', 'dist', 'node_modules']);
  // Tests beside this one have settings of stacks of their own here, which would be asked about, too.
  const isOthers = (name: string): boolean => /^Pulumi\..+\.yaml$/.test(name) && name !== 'Pulumi.ci.yaml';
  const filter = (file: string): boolean => !left.has(path.basename(file)) && !isOthers(path.basename(file));
  await cp(checkout, folder, { recursive: true, filter });
  return folder;
}

const passedTest = { name: 'it works', status: 'passed', durationMs: 1 };

/** Makes a small environment, and this program the one suite, of the stack that the workflow takes. */
async function useSuite(...args: string[]): Promise<void> {
  const config = {
    'rehearsal:profile': 'small',
    'rehearsal:suites': [{ name: suite, command: [process.execPath, ...args], timeoutSeconds: 120 }],
  };
  await writeFile(path.join(cwd, 'Pulumi.ci.yaml'), stringify({ config }));
}

const step = (
  job: keyof Workflow['jobs'],
  name: string,
  delivery: Delivery,
  onOutput?: (text: string, kill: (signal: NodeJS.Signals) => void) => void,
): Promise<StepResult> =>
  runStep({
    workflow,
    job: workflow.jobs[job],
    step: name,
    delivery,
    cwd,
    ...(onOutput === undefined ? {} : { onOutput }),
  });

const runsFolder = (): string => path.join(cwd, '.rehearsal', 'runs');

async function recordOfOnlyRun(): Promise<RunRecord> {
  const [run, ...more] = await readdir(runsFolder());
  expect(more).toEqual([]);
  const text = await readFile(path.join(runsFolder(), run ?? '', 'record.json'), 'utf8');
  return runRecordSchema.parse(JSON.parse(text));
}

async function expectNothingLeft({ runId }: RunRecord): Promise<void> {
  const engine = dockerEngine(connectDocker(resolveDockerHost()));
  expect(await engine.leftovers({ runId, suite })).toEqual([]);
}

describe('the job of a branch', () => {
  const delivery = push(hostile, repository);

  test(
    'installs, rehearses, finds nothing left to destroy, and shows the verdict',
    async () => {
      await useSuite('test/fixtures/suites/results.mjs', JSON.stringify([passedTest]));
      expect(await step('rehearse', 'Install the packages', delivery)).toMatchObject({ exitCode: 0 });

      const rehearsal = await step('rehearse', 'Rehearse', delivery);
      // The one suite measures no delivery, and what isn't measured is no go.
      expect(rehearsal).toMatchObject({ exitCode: exitCodes.noGo });
      const destroy = await step('rehearse', 'Destroy what a killed run left', delivery);
      expect(destroy).toMatchObject({ exitCode: 0 });
      expect(destroy.output).toContain('There is no stack of this branch');
      const { summary } = await step('rehearse', 'Show the verdict', delivery);
      expect(summary).toMatch(/^## NO-GO: /);

      const record = await recordOfOnlyRun();
      expect(record).toMatchObject({ branch: slugOf(hostile), suites: [{ outcome: { kind: 'passed' } }] });
      await expectNothingLeft(record);
      expect(existsSync(path.join(cwd, 'pwned'))).toBe(false);
    },
    timeoutMs,
  );

  test(
    'that is cancelled destroys in order, although only the shell is told',
    async () => {
      await useSuite('-e', 'setInterval(() => undefined, 1000)');
      let cancelled = false;
      const { exitCode } = await step('rehearse', 'Rehearse', delivery, (text, kill) => {
        if (cancelled || !text.includes(`… ${suite}: suite`)) return;
        cancelled = true;
        kill('SIGINT');
      });
      expect(cancelled).toBe(true);
      expect(exitCode).toBe(exitCodes.interrupted);
      const record = await recordOfOnlyRun();
      expect(record).toMatchObject({
        interrupted: true,
        suites: [{ outcome: { kind: 'interrupted' }, destruction: { kind: 'destroyed' } }],
      });
      await expectNothingLeft(record);
    },
    timeoutMs,
  );
});

describe('the destroy', () => {
  let stacks: StackEngine & StandingStacks;

  beforeAll(async () => {
    const engine = await setUp({ progress: silentProgress, images: false });
    const env = {
      ...process.env,
      ...engine.env,
      PULUMI_BACKEND_URL: fillIn(workflow.env['PULUMI_BACKEND_URL'] ?? '', push('main', repository)),
      PULUMI_CONFIG_PASSPHRASE: '',
    };
    // A checkout without packages: the program comes from this one.
    stacks = pulumiStacks(engine.pulumi, env, cwd, () => compileProgram(checkout));
  }, timeoutMs);

  /** A stack as a run leaves it that was killed before it had made a container. */
  async function leaveStack(branch: string): Promise<string> {
    const name = stackName(slugOf(branch), newRunId(Date.now()), suite);
    const folder = path.join(cwd, '.rehearsal', 'left', name);
    await stacks.create({ name, folder, settings: { config: { 'rehearsal:profile': 'small' } } });
    return name;
  }

  test.each<[keyof Workflow['jobs'], string, Delivery, string]>([
    ['destroy', "Destroy the branch's stacks", deletion('branch', hostile, repository), hostile],
    ['destroy', "Destroy the branch's stacks", pullRequest('closed', 12, hostile, repository), 'PR 12'],
    ['rehearse', 'Destroy what a killed run left', push(hostile, repository), hostile],
  ])(
    "in job %s takes the branch's stacks and no other's",
    async (job, name, delivery, branch) => {
      const others = [await leaveStack('PR 1'), await leaveStack(`${branch}-2`)];
      await leaveStack(branch);
      await leaveStack(branch);
      const { exitCode, output } = await step(job, name, delivery);
      expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
      const left = await stacks.names();
      expect(left).toEqual(expect.arrayContaining(others));
      expect(left.filter((stack) => isStackOf(slugOf(branch), stack))).toEqual([]);
      expect(existsSync(path.join(cwd, 'pwned'))).toBe(false);
    },
    timeoutMs,
  );
});

test(
  'the scheduled job collects what is left in the state that the branches’ jobs keep, and nothing that has time left',
  async () => {
    const gc = await readGcWorkflow();
    const delivery = scheduled(repository);
    expect(gc.env).toEqual({ PULUMI_BACKEND_URL: workflow.env['PULUMI_BACKEND_URL'] });
    const engine = await setUp({ progress: silentProgress, images: false });
    const env = {
      ...process.env,
      ...engine.env,
      PULUMI_BACKEND_URL: fillIn(gc.env['PULUMI_BACKEND_URL'] ?? '', delivery),
      PULUMI_CONFIG_PASSPHRASE: '',
    };
    const stacks = pulumiStacks(engine.pulumi, env, cwd, () => compileProgram(checkout));
    const inHours = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString();
    const [over, lives] = ['over', 'lives'].map((name) => `${owner}-${name}`) as [string, string];
    const labels = { run: newRunId(Date.now()), suite };
    await leaveState(engine.pulumi, env, { ...labels, stack: over, expiresAt: inHours(-1) });
    await leaveState(engine.pulumi, env, { ...labels, stack: lives, expiresAt: inHours(1) });
    const result = await whileNobodyElseCollects(() =>
      runStep({ ...{ workflow: gc, job: gc.jobs.collect, step: 'Collect what was left', delivery, cwd } }),
    );
    // What others left on this machine is collected, too, as far as that works.
    expect(result).toMatchObject({ exitCode: result.output.includes('✖') ? exitCodes.leak : 0 });
    const names = await stacks.names();
    expect(names).toContain(lives);
    expect(names).not.toContain(over);
  },
  timeoutMs,
);

describe('the summary', () => {
  const show = (): Promise<StepResult> => step('rehearse', 'Show the verdict', push('main', repository));

  test('says that nothing was started', async () => {
    expect(await show()).toMatchObject({
      exitCode: 0,
      summary: expect.stringMatching(/^## No verdict: nothing was started/),
    });
  });

  test('says that a run was cut off', async () => {
    await mkdir(path.join(runsFolder(), 'tabc123xyz', suite), { recursive: true });
    expect(await show()).toMatchObject({
      exitCode: 0,
      summary: expect.stringMatching(/^## No verdict: the run was cut off/),
    });
  });

  test("is the run's own", async () => {
    await mkdir(path.join(runsFolder(), 'tabc123xyz'), { recursive: true });
    await writeFile(path.join(runsFolder(), 'tabc123xyz', 'summary.md'), '## GO\n');
    expect(await show()).toMatchObject({ exitCode: 0, summary: '## GO\n' });
  });
});
