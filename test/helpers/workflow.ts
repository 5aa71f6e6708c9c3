import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { data, Evaluator, Lexer, Parser, wellKnownFunctions } from '@actions/expressions';
import { execa } from 'execa';
import { parse } from 'yaml';
import * as z from 'zod';
import { checkout } from '../../engine/state.js';

const texts = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String));
const stepSchema = z.object({
  name: z.string().optional(),
  if: z.string().optional(),
  uses: z.string().optional(),
  run: z.string().optional(),
  with: texts.optional(),
  env: texts.default({}),
});
const jobSchema = z.object({
  if: z.string().optional(),
  'timeout-minutes': z.number(),
  steps: z.array(stepSchema),
});
const ownJobSchema = jobSchema.required({ if: true });
const sharedShape = {
  permissions: z.record(z.string(), z.string()),
  concurrency: z.object({ group: z.string(), 'cancel-in-progress': z.boolean() }),
  env: texts,
  defaults: z.object({ run: z.object({ shell: z.literal('bash') }) }),
};
const workflowSchema = z.object({
  ...sharedShape,
  jobs: z.object({ rehearse: ownJobSchema, destroy: ownJobSchema }),
});
const gcWorkflowSchema = z.object({
  ...sharedShape,
  on: z.object({ schedule: z.array(z.object({ cron: z.string() })), workflow_dispatch: z.null() }),
  jobs: z.object({ collect: jobSchema }),
});
export type Workflow = z.infer<typeof workflowSchema>;
export type GcWorkflow = z.infer<typeof gcWorkflowSchema>;

const fileOf = (name: string): string => path.join(checkout, '.github', 'workflows', name);
export const workflowFile = fileOf('rehearsal.yml');
export const gcWorkflowFile = fileOf('rehearsal-gc.yml');

export async function readWorkflow(): Promise<Workflow> {
  return workflowSchema.parse(parse(await readFile(workflowFile, 'utf8')));
}

export async function readGcWorkflow(): Promise<GcWorkflow> {
  return gcWorkflowSchema.parse(parse(await readFile(gcWorkflowFile, 'utf8')));
}

/** An event as GitHub's runner hands it to a workflow, both to its expressions and to its scripts. */
export interface Delivery {
  /** The contexts `github` and `secrets`. */
  contexts: { github: Record<string, unknown>; secrets: Record<string, string> };
  variables: Record<string, string>;
  event: object;
}

interface Occasion {
  name: string;
  /** The payload, as far as it matters here. */
  event: object;
  /** `refs/heads/…` or `refs/pull/…`. */
  ref: string;
  headRef?: string;
  repository?: string;
}

export function delivery({ name, event, ref, headRef = '', repository = 'team/shop' }: Occasion): Delivery {
  const refName = ref.replace(/^refs\/(heads|pull)\//, '');
  const github = {
    event_name: name,
    event,
    ref,
    ref_name: refName,
    head_ref: headRef,
    repository,
    run_id: '77',
    run_attempt: '1',
  };
  const variables = {
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_EVENT_NAME: name,
    GITHUB_REF: ref,
    GITHUB_REF_NAME: refName,
    GITHUB_HEAD_REF: headRef,
    GITHUB_REPOSITORY: repository,
  };
  return { contexts: { github, secrets: {} }, variables, event };
}

export const scheduled = (repository?: string): Delivery =>
  delivery({
    name: 'schedule',
    event: { schedule: '17 */4 * * *' },
    ref: 'refs/heads/main',
    ...(repository === undefined ? {} : { repository }),
  });

export const push = (branch: string, repository?: string): Delivery =>
  delivery({
    name: 'push',
    event: { ref: `refs/heads/${branch}` },
    ref: `refs/heads/${branch}`,
    ...(repository === undefined ? {} : { repository }),
  });

export const pullRequest = (action: string, number: number, branch: string, repository?: string): Delivery =>
  delivery({
    name: 'pull_request',
    event: { action, number, pull_request: { number, base: { ref: 'main' }, head: { ref: branch } } },
    ref: `refs/pull/${String(number)}/merge`,
    headRef: branch,
    ...(repository === undefined ? {} : { repository }),
  });

export const deletion = (kind: 'branch' | 'tag', ref: string, repository?: string): Delivery =>
  delivery({
    name: 'delete',
    event: { ref, ref_type: kind },
    ref: 'refs/heads/main',
    ...(repository === undefined ? {} : { repository }),
  });

/** What an expression comes to, without its `${{ }}`. */
export function evaluate(expression: string, { contexts }: Delivery): string {
  const values = JSON.parse(JSON.stringify(contexts), data.reviver) as data.Dictionary;
  const { tokens } = new Lexer(expression).lex();
  const parsed = new Parser(tokens, Object.keys(contexts), Object.values(wellKnownFunctions)).parse();
  return new Evaluator(parsed, values).evaluate().coerceString();
}

/** A text with every `${{ … }}` in it filled in. */
export const fillIn = (text: string, of: Delivery): string =>
  text.replaceAll(/\$\{\{(.*?)\}\}/g, (_, expression: string) => evaluate(expression, of));

export interface StepRequest {
  workflow: Pick<Workflow, 'env'>;
  job: z.infer<typeof jobSchema>;
  step: string;
  delivery: Delivery;
  /** The checkout. */
  cwd: string;
  /** Sees output as it comes, and may signal the step's process, and none of its children, as a cancel does. */
  onOutput?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
}

export interface StepResult {
  exitCode: number | undefined;
  output: string;
  summary: string;
}

/** Runs the script of one step as GitHub's runner does: its shell, its files, the workflow's variables. */
export async function runStep({
  workflow,
  job,
  step,
  delivery: of,
  cwd,
  onOutput,
}: StepRequest): Promise<StepResult> {
  const found = job.steps.find(({ name }) => name === step);
  if (found?.run === undefined) throw new Error(`the job has no script called "${step}"`);
  const folder = await mkdtemp(path.join(tmpdir(), 'runner-'));
  const file = (name: string): string => path.join(folder, name);
  try {
    await writeFile(file('script.sh'), fillIn(found.run, of));
    await writeFile(file('event.json'), JSON.stringify(of.event));
    for (const name of ['summary', 'output', 'env']) await writeFile(file(name), '');
    const own = Object.entries({ ...workflow.env, ...found.env }).map(([key, value]) => [
      key,
      fillIn(value, of),
    ]);
    const subprocess = execa('bash', ['--noprofile', '--norc', '-eo', 'pipefail', file('script.sh')], {
      cwd,
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        DOCKER_HOST: process.env['DOCKER_HOST'],
        ...of.variables,
        GITHUB_EVENT_PATH: file('event.json'),
        GITHUB_STEP_SUMMARY: file('summary'),
        GITHUB_OUTPUT: file('output'),
        GITHUB_ENV: file('env'),
        ...(Object.fromEntries(own) as Record<string, string>),
      },
      extendEnv: false,
      stdin: 'ignore',
      all: true,
      reject: false,
    });
    subprocess.all.on('data', (chunk: Buffer) => {
      onOutput?.(chunk.toString('utf8'), (signal) => subprocess.kill(signal));
    });
    const { exitCode, all } = await subprocess;
    return { exitCode, output: all, summary: await readFile(file('summary'), 'utf8') };
  } finally {
    await rm(folder, { recursive: true });
  }
}
