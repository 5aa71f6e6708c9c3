import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { commandRunner, judge, type SuiteRun } from '../../runners/suite-runner.js';
import { isAlive } from '../helpers/alive.js';
import { temporaryFolder } from '../helpers/temporary.js';

const checkout = path.resolve(import.meta.dirname, '../..');
const runner = commandRunner(checkout, '/usr/bin/some-browser');

interface Options {
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Runs one of the programs in test/fixtures/suites. */
const runFixture = ([file = '', ...args]: string[], options?: Options) =>
  runCommand([process.execPath, path.join('test', 'fixtures', 'suites', file), ...args], options);

/** Of the environment. */
const password = 'hush-hush-hush';

async function runCommand(command: string[], { timeoutMs = 60_000, signal }: Options = {}) {
  const folder = temporaryFolder('suite');
  const lines: string[] = [];
  await writeFile(path.join(folder, 'Pulumi.yaml'), "the runner's own");
  const run = await runner.run({
    suite: {
      name: 'chat',
      category: 'custom',
      command,
      timeoutMs,
      measuresDelivery: false,
    },
    environmentFile: '/somewhere/environment.json',
    folder,
    users: 7,
    secrets: [password],
    signal: signal ?? new AbortController().signal,
    onLine: (line) => lines.push(line),
  });
  return { run, folder, lines, outcome: judge(run) };
}

const tests = (...statuses: string[]): string =>
  JSON.stringify(statuses.map((status, index) => ({ name: `test ${String(index)}`, status, durationMs: 1 })));

const results = (suite: string, users: number): string =>
  JSON.stringify({ suite, users, tests: [{ name: 'a', status: 'passed', durationMs: 1 }] });

describe("a suite's outcome", () => {
  test('is passed when it ends well and every test passed', async () => {
    const { outcome } = await runFixture(['results.mjs', tests('passed', 'passed')]);
    expect(outcome).toEqual({ kind: 'passed' });
  });

  test.each([
    ['a failed test', ['results.mjs', tests('passed', 'failed'), '1'], '1 of 2 tests failed'],
    ['a failed test, whatever the exit code', ['results.mjs', tests('failed')], '1 of 1 tests failed'],
    ['a skipped test', ['results.mjs', tests('passed', 'skipped')], '1 of 2 tests were skipped'],
    [
      'an exit code, although all tests passed',
      ['results.mjs', tests('passed'), '3'],
      'the suite ended with exit code 3',
    ],
    ['an empty list of tests', ['results.mjs', '[]'], 'no test was run'],
    [
      'exit code 0 without results',
      ['no-tests.mjs'],
      'the suite ended with exit code 0 without readable results (tests.json: the suite did not write it)\nnothing to do',
    ],
  ])('is failed for %s', async (_, command, reason) => {
    const { outcome } = await runFixture(command);
    expect(outcome).toEqual({ kind: 'failed', reason });
  });

  test.each([
    ['damaged', '{"suite":"chat","users":7,"tests":[{"na', /tests\.json: .*JSON/],
    ['those of another suite', results('other', 7), /tests\.json: it is of the suite other/],
    ['those of other users', results('chat', 1), /tests\.json: it is of 1 users/],
  ])('is failed for results that are %s', async (_, text, reason) => {
    const { outcome } = await runFixture(['raw-results.mjs', text]);
    expect(outcome).toEqual({ kind: 'failed', reason: expect.stringMatching(reason) });
  });

  test('is failed when it removes all that it can write to, and what the runner needs stays', async () => {
    const { folder, outcome } = await runCommand(['sh', '-c', 'rm -rf "$REHEARSAL_RESULTS"']);
    expect(outcome).toEqual({ kind: 'failed', reason: expect.stringContaining('did not write it') });
    expect((await readdir(folder)).sort()).toEqual(['Pulumi.yaml', 'suite.log']);
  });

  test("is the harness's error when there is no such command", async () => {
    const { outcome } = await runCommand(['/nonesuch']);
    const message = "the suite's command could not be started: spawn /nonesuch ENOENT";
    expect(outcome).toEqual({ kind: 'errored', phase: 'suite', message });
  });

  test("is the harness's error when the command is not executable", async () => {
    const file = path.join(temporaryFolder('suite'), 'command');
    await writeFile(file, 'text', { mode: 0o600 });
    const { outcome } = await runCommand([file]);
    const message = `the suite's command could not be started: spawn ${file} EACCES`;
    expect(outcome).toEqual({ kind: 'errored', phase: 'suite', message });
  });
});

describe('a suite that misbehaves', () => {
  test('is ended at its deadline although it ignores every request', async () => {
    const { outcome, run } = await runFixture(['forever.mjs'], { timeoutMs: 5_000 });
    // It has to have begun by then.
    expect(outcome).toEqual({ kind: 'timed out', timeoutMs: 5_000 });
    expect(run.logTail).toBe('started\nSIGINT ignored\nSIGTERM ignored');
  }, 60_000);

  test('is ended by an interruption', async () => {
    const interruption = new AbortController();
    const running = runFixture(['forever.mjs'], { signal: interruption.signal });
    interruption.abort();
    expect((await running).outcome).toEqual({ kind: 'interrupted', phase: 'suite' });
  }, 60_000);

  test('is not even started properly after an interruption', async () => {
    const { outcome } = await runFixture(['forever.mjs'], { signal: AbortSignal.abort() });
    expect(outcome).toEqual({ kind: 'interrupted', phase: 'suite' });
  }, 60_000);

  test.each([
    ['100 MB', ['100']],
    ['without end', []],
  ])(
    'is killed when it writes %s',
    async (_, args) => {
      const { run, folder, outcome } = await runFixture(['writes-much.mjs', ...args]);
      expect(outcome).toEqual({
        kind: 'failed',
        reason: `the suite was stopped: it wrote more than 32 MiB of output\n${run.logTail}`,
      });
      const numbers = run.logTail.split('\n').map((line) => Number(/^(\d+)\.+$/.exec(line)?.[1]));
      const last = numbers.at(-1) ?? 0;
      expect(last).toBeGreaterThan(31 * 1024);
      expect(numbers).toEqual(numbers.map((_number, index) => last - numbers.length + 1 + index));
      const log = await readFile(path.join(folder, 'suite.log'), 'utf8');
      expect(log.length).toBeLessThanOrEqual(32 * 1024 * 1024);
      // No pipe through the runner: its memory has no part in it.
      expect(log.startsWith('to a file: true\n0.')).toBe(true);
      expect(log.endsWith(`\n[cut here; the last lines were:]\n${run.logTail}\n`)).toBe(true);
    },
    60_000,
  );

  test('may write much', async () => {
    const { run, folder } = await runFixture(['writes-much.mjs', '30']);
    expect(run.status).toEqual({ kind: 'exited', exitCode: 0 });
    expect((await stat(path.join(folder, 'suite.log'))).size).toBeGreaterThan(30 * 1024 * 1024);
  }, 60_000);

  test('leaves no child behind, and is told of it', async () => {
    const { run, folder, outcome } = await runFixture(['leaves-children.mjs']);
    expect(outcome).toEqual({ kind: 'passed' });
    const pids = await childrenIn(folder);
    expect(pids).toHaveLength(8);
    expect(run.problems).toEqual([
      expect.stringMatching(/^the suite left processes running, which were killed: /),
    ]);
    for (const pid of pids) expect(run.problems[0]).toContain(`(${String(pid)})`);
    expect(await Promise.all(pids.map(isAlive))).not.toContain(true);
  }, 60_000);

  test.each([
    ['SIGKILL', 'parent'],
    ['SIGTERM', 'parent'],
    ['SIGINT', 'parent'],
    ['SIGKILL', 'group'],
  ])(
    'is killed when it sends %s to its %s',
    async (signal, whom) => {
      const { folder, outcome, run } = await runFixture(['kills-parent.mjs', signal, whom]);
      expect(outcome).toEqual({
        kind: 'failed',
        reason: `the suite ended its parent process (${signal}), or somebody outside the run did, and was killed\nabout to do it`,
      });
      expect(run.problems).toEqual([]);
      expect(await Promise.all((await childrenIn(folder)).map(isAlive))).toEqual([false, false]);
    },
    60_000,
  );

  test('has its deadline also when it stops its parent', async () => {
    const { outcome } = await runFixture(['stops-parent.mjs'], { timeoutMs: 1_000 });
    expect(outcome).toEqual({ kind: 'timed out', timeoutMs: 1_000 });
  }, 60_000);
});

test('a suite gets what it needs and none of what belongs to the runner', async () => {
  process.env['PULUMI_CONFIG_PASSPHRASE'] = 'hush';
  process.env['NODE_OPTIONS'] = '--no-warnings';
  try {
    const { folder } = await runFixture(['environment.mjs']);
    const seen = JSON.parse(
      await readFile(path.join(folder, 'results', 'environment-seen.json'), 'utf8'),
    ) as {
      names: string[];
      own: Record<string, string>;
    };
    expect(seen.own).toEqual({
      REHEARSAL_SUITE: 'chat',
      REHEARSAL_ENVIRONMENT: '/somewhere/environment.json',
      REHEARSAL_RESULTS: path.join(folder, 'results'),
      REHEARSAL_USERS: '7',
      REHEARSAL_CHROMIUM: '/usr/bin/some-browser',
      REHEARSAL_PROGRAM: expect.any(String),
    });
    expect(seen.names).toContain('PATH');
    expect(seen.names.filter((name) => name.startsWith('PULUMI_') || name === 'NODE_OPTIONS')).toEqual([]);
  } finally {
    delete process.env['PULUMI_CONFIG_PASSPHRASE'];
    delete process.env['NODE_OPTIONS'];
  }
});

test('a suite that tells passwords is not quoted with them', async () => {
  const script = `console.log("it is ${password}"); setTimeout(() => process.exit(1), 1500)`;
  const { run, lines, outcome } = await runCommand(['node', '-e', script]);
  expect(lines).toEqual(['it is [redacted]']);
  expect(run.logTail).toBe('it is [redacted]');
  expect(JSON.stringify([run, outcome])).not.toContain(password);
  const { run: unreadable } = await runFixture(['raw-results.mjs', password]);
  expect(unreadable.tests).toEqual({
    measured: false,
    reason: expect.stringMatching(/^tests\.json: .*"\[redacted\]" is not valid JSON$/),
  });
});

test('a suite that was ended by a signal has failed', () => {
  const run: SuiteRun = {
    status: { kind: 'signalled', signal: 'SIGSEGV' },
    durationMs: 1,
    logTail: '',
    problems: [],
    tests: { measured: true, value: [{ name: 'a', status: 'passed', durationMs: 1 }] },
    latency: { measured: false, reason: '' },
    wroteLatencies: false,
  };
  expect(judge(run)).toEqual({ kind: 'failed', reason: 'the suite was ended by SIGSEGV' });
});

const childrenIn = async (folder: string): Promise<number[]> =>
  JSON.parse(await readFile(path.join(folder, 'results', 'children.json'), 'utf8')) as number[];
