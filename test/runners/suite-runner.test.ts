import { mkdtemp, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { waitUntil } from '../../engine/wait.js';
import { commandRunner, judge, type SuiteRun } from '../../runners/suite-runner.js';

const checkout = path.resolve(import.meta.dirname, '../..');
const runner = commandRunner(checkout, '/usr/bin/some-browser');

interface Options {
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Runs one of the programs in test/fixtures/suites. */
async function runFixture(command: string[], { timeoutMs = 60_000, signal }: Options = {}) {
  const folder = await mkdtemp(path.join(tmpdir(), 'suite-'));
  const [file = '', ...args] = command;
  const run = await runner.run({
    suite: {
      name: 'chat',
      category: 'custom',
      command: [process.execPath, path.join('test', 'fixtures', 'suites', file), ...args],
      timeoutMs,
      measuresDelivery: false,
    },
    environmentFile: '/somewhere/environment.json',
    folder,
    users: 7,
    signal: signal ?? new AbortController().signal,
    onLine: () => undefined,
  });
  return { run, folder, outcome: judge(run) };
}

const tests = (...statuses: string[]): string =>
  JSON.stringify(statuses.map((status, index) => ({ name: `test ${String(index)}`, status, durationMs: 1 })));

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

  test("is the harness's error when the command can't be started", async () => {
    const suite = {
      name: 'chat',
      category: 'custom',
      command: ['/nonesuch'],
      timeoutMs: 1000,
      measuresDelivery: false,
    };
    const folder = await mkdtemp(path.join(tmpdir(), 'suite-'));
    const { signal } = new AbortController();
    const run = await runner.run({
      suite,
      environmentFile: '',
      folder,
      users: 1,
      signal,
      onLine: () => undefined,
    });
    expect(judge(run)).toEqual({
      kind: 'errored',
      phase: 'suite',
      message: "the suite's command could not be started: spawn /nonesuch ENOENT",
    });
  });
});

describe('a suite that misbehaves', () => {
  test('is ended at its deadline although it ignores every request', async () => {
    const { outcome, run } = await runFixture(['forever.mjs'], { timeoutMs: 1_000 });
    expect(outcome).toEqual({ kind: 'timed out', timeoutMs: 1_000 });
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

  test('has its output in the log and only its end in memory', async () => {
    const { run, folder } = await runFixture(['writes-much.mjs']);
    expect((await stat(path.join(folder, 'suite.log'))).size).toBeGreaterThan(100 * 1024 * 1024);
    expect(run.logTail).toMatch(/written$/);
    expect(run.logTail.length).toBeLessThanOrEqual(20 * 1024);
  }, 60_000);

  test('leaves no child behind', async () => {
    const { run, folder } = await runFixture(['leaves-children.mjs']);
    expect(run.status).toEqual({ kind: 'exited', exitCode: 0 });
    const pids = JSON.parse(await readFile(path.join(folder, 'children.json'), 'utf8')) as number[];
    expect(pids).toHaveLength(3);
    await waitUntil(
      () => Promise.all(pids.map(isAlive)),
      (alive) => !alive.includes(true),
      { what: 'the end of the children', deadlineMs: 10_000, intervalMs: 50 },
    );
  }, 60_000);
});

test('a suite gets what it needs and none of what belongs to the runner', async () => {
  process.env['PULUMI_CONFIG_PASSPHRASE'] = 'hush';
  process.env['NODE_OPTIONS'] = '--no-warnings';
  try {
    const { folder } = await runFixture(['environment.mjs']);
    const seen = JSON.parse(await readFile(path.join(folder, 'environment-seen.json'), 'utf8')) as {
      names: string[];
      own: Record<string, string>;
    };
    expect(seen.own).toEqual({
      REHEARSAL_SUITE: 'chat',
      REHEARSAL_ENVIRONMENT: '/somewhere/environment.json',
      REHEARSAL_RESULTS: folder,
      REHEARSAL_USERS: '7',
      REHEARSAL_CHROMIUM: '/usr/bin/some-browser',
    });
    expect(seen.names).toContain('PATH');
    expect(seen.names.filter((name) => name.startsWith('PULUMI_') || name === 'NODE_OPTIONS')).toEqual([]);
  } finally {
    delete process.env['PULUMI_CONFIG_PASSPHRASE'];
    delete process.env['NODE_OPTIONS'];
  }
});

test('a suite that was ended by a signal has failed', () => {
  const run: SuiteRun = {
    status: { kind: 'signalled', signal: 'SIGSEGV' },
    durationMs: 1,
    logTail: '',
    tests: { measured: true, value: [{ name: 'a', status: 'passed', durationMs: 1 }] },
    latency: { measured: false, reason: '' },
    wroteLatencies: false,
  };
  expect(judge(run)).toEqual({ kind: 'failed', reason: 'the suite was ended by SIGSEGV' });
});

/** A zombie is dead: only its parent hasn't noticed yet. */
async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => undefined);
  return status !== undefined && !/\) Z /.test(status);
}
