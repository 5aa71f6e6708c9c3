import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { agentEventSchema, type AgentEvent } from '../critical/support/events.js';
import { problemsOfList } from '../critical/support/lists.js';
import { problemsOfRun, problemsOfStream } from '../critical/support/order.js';
import { calculation, expectedRun } from '../critical/support/runs.js';
import { temporaryFolder } from '../helpers/temporary.js';

const owner = {
  userId: '0b7bd5a5-6a6d-4d52-8f3e-0d7b5d8d9a01',
  threadId: '0b7bd5a5-6a6d-4d52-8f3e-0d7b5d8d9a02',
};
const runId = '0b7bd5a5-6a6d-4d52-8f3e-0d7b5d8d9a03';
const stranger = { ...owner, userId: '0b7bd5a5-6a6d-4d52-8f3e-0d7b5d8d9a04' };

const call = { callId: 'call-1', tool: 'calculator' };
const question = {
  input: 'calculate 1 + 1',
  calls: [calculation('1 + 1', 2)],
  content: 'The result is 2.',
};

/** A run as it should be. */
const run: AgentEvent[] = [
  { type: 'agent_started', data: { input: question.input } },
  { type: 'agent_thinking', data: { step: 1 } },
  { type: 'tool_executing', data: { ...call, arguments: { expression: '1 + 1' } } },
  { type: 'tool_completed', data: { ...call, ok: true, result: 2 } },
  { type: 'agent_thinking', data: { step: 2 } },
  { type: 'agent_completed', data: { content: question.content, steps: 2 } },
].map((event, index) =>
  agentEventSchema.parse({ ...event, ...owner, runId, agent: 'assistant', seq: index + 1, emittedAt: 1e12 }),
);

const at = (index: number): AgentEvent => run[index] as AgentEvent;
const without = (index: number): AgentEvent[] => run.filter((_, other) => other !== index);
const problems = (events: AgentEvent[]): string[] => [
  ...problemsOfStream('user 3', events, owner),
  ...problemsOfRun('user 3', events, expectedRun(question)),
];

describe('what a subscriber received', () => {
  test('has no problem when it is complete and in order', () => {
    expect(problems(run)).toEqual([]);
  });

  test('lacks an event', () => {
    expect(problems(without(2))).toEqual([
      'user 3: seq 3 was never received after agent_thinking (seq 2)',
      'user 3: expected tool_executing of assistant after agent_thinking (seq 2), got tool_completed (seq 4) of assistant',
    ]);
  });

  test('lacks an event that was never numbered', () => {
    const renumbered = without(2).map((event, index) => ({ ...event, seq: index + 1 }));
    expect(problems(renumbered)).toEqual([
      'user 3: expected tool_executing of assistant after agent_thinking (seq 2), got tool_completed (seq 3) of assistant',
    ]);
  });

  test('lacks the last event', () => {
    expect(problems(without(5))).toEqual([
      'user 3: expected agent_completed of assistant after agent_thinking (seq 5), got nothing',
    ]);
  });

  test('has an event twice', () => {
    expect(problems([...run, at(5)])).toEqual([
      'user 3: received agent_completed (seq 6) twice',
      'user 3: expected nothing more after agent_completed (seq 6), got agent_completed (seq 6) of assistant',
    ]);
  });

  test('has two events in the wrong order', () => {
    expect(problemsOfStream('user 3', [at(0), at(2), at(1), at(3)], owner)).toEqual([
      'user 3: received tool_executing (seq 3) before agent_thinking (seq 2): out of order',
    ]);
  });

  test("has another user's event", () => {
    expect(problemsOfStream('user 3', [...run, { ...at(2), ...stranger }], owner)).toEqual([
      expect.stringContaining("user 3: received tool_executing (seq 3) of another's thread"),
    ]);
  });

  test('begins earlier than it was asked to', () => {
    expect(problemsOfStream('user 3', run.slice(1), owner, 3)).toEqual([
      'user 3: received agent_thinking (seq 2), although it asked for seq 3 on',
    ]);
  });

  test("has another answer, or the end of another tool's call", () => {
    const wrong: AgentEvent[] = [
      ...run.slice(0, 3),
      { ...at(3), data: { ...call, callId: 'call-2', ok: true, result: 2 } } as AgentEvent,
      at(4),
      { ...at(5), data: { content: 'The result is 3.', steps: 2 } } as AgentEvent,
    ];
    expect(problems(wrong)).toEqual([
      'user 3: tool_completed (seq 4): expected the end of call calculator call-1, got the end of calculator call-2',
      'user 3: agent_completed (seq 6): expected content "The result is 2.", got "The result is 3."',
    ]);
  });
});

describe('what somebody shows or stores', () => {
  const expected = ['one', 'two', 'three'];
  const problemsOf = (...seen: string[]): string[] => problemsOfList('user 3', 'the page', seen, expected);

  test('has no problem when it is the same', () => {
    expect(problemsOf('one', 'two', 'three')).toEqual([]);
  });

  test('lacks something, or has something else', () => {
    expect(problemsOf('one', 'three')).toEqual(['user 3: the page lacks two']);
    expect(problemsOf('one', 'two', 'three', 'four')).toEqual([
      'user 3: the page has four, which should not be there',
    ]);
  });

  test('has something twice', () => {
    expect(problemsOf('one', 'two', 'two', 'three')).toEqual(['user 3: the page has two 2 times']);
  });

  test('is in another order', () => {
    expect(problemsOf('two', 'one', 'three')).toEqual(['user 3: the page has two before one: out of order']);
  });
});

/** Runs a critical suite as the runner does. */
async function runSuite(
  env: Record<string, string>,
): Promise<{ exitCode: number | undefined; tests: unknown }> {
  const results = temporaryFolder('suite');
  const { exitCode } = await execa(
    process.execPath,
    [
      '--experimental-vm-modules',
      path.join('node_modules', 'jest', 'bin', 'jest.js'),
      ...['--selectProjects', 'critical'],
      ...['--runTestsByPath', 'test/critical/write-review-refine.test.ts'],
      '--reporters=<rootDir>/test/critical/reporter.mjs',
    ],
    { env: { REHEARSAL_RESULTS: results, REHEARSAL_SUITE: 'write-review-refine', ...env }, reject: false },
  );
  return { exitCode, tests: JSON.parse(await readFile(path.join(results, 'tests.json'), 'utf8')) };
}

describe('a suite that is run by hand', () => {
  test('without an environment says how to run it, and counts as failed', async () => {
    const { exitCode, tests } = await runSuite({ REHEARSAL_ENVIRONMENT: '', REHEARSAL_USERS: '0' });
    expect(exitCode).not.toBe(0);
    expect(tests).toEqual({
      suite: 'write-review-refine',
      users: 0,
      tests: [expect.objectContaining({ status: 'failed', durationMs: 0 })],
    });
    const [{ failure }] = (tests as { tests: [{ failure: string }] }).tests;
    expect(failure).toContain('REHEARSAL_ENVIRONMENT is not set');
    expect(failure).toContain('REHEARSAL_USERS=0: allowed is a whole number from 1 to 1000');
    expect(failure).toContain('npm run rehearsal -- test --stack dev --suite NAME');
  });

  test('with a damaged environment names the place and shows no password', async () => {
    const file = path.join(temporaryFolder('suite'), 'environment.json');
    await writeFile(file, '{"redis":{"host":"h","port":0,"password":"marker-of-a-password"}}');
    const { tests } = await runSuite({ REHEARSAL_ENVIRONMENT: file });
    expect(JSON.stringify(tests)).toContain('redis.port');
    expect(JSON.stringify(tests)).toContain('frontendUrl');
    expect(JSON.stringify(tests)).not.toContain('marker-of-a-password');
  });
});
