import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { profiles } from '../../components/services.js';
import { hostReserveMb } from '../../components/sizing.js';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { dockerEngine } from '../../runners/docker.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { runRecordSchema, type RunRecord } from '../../runners/report/record.js';
import { artifactsOf, runCli, type CliResult } from '../helpers/cli.js';

const timeoutMs = 10 * 60_000;
const engine = dockerEngine(connectDocker(resolveDockerHost()));
const smallMb = Object.values(profiles.small.services).reduce((sum, { memoryMb }) => sum + memoryMb, 0);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-admission-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** Small environments that add up to so much memory, for suites that do nothing but what their command says. */
function settingsFor(memoryMb: number, suites: Record<string, string[]>): string {
  const backendMb = profiles.small.services.backend.memoryMb + memoryMb - smallMb;
  return stringify({
    config: {
      'rehearsal:profile': 'small',
      'rehearsal:budgetMb': memoryMb,
      'rehearsal:services': { backend: { memoryMb: backendMb } },
      'rehearsal:suites': Object.entries(suites).map(([name, args]) => ({
        name,
        command: ['node', ...args],
        timeoutSeconds: 60,
      })),
    },
  });
}

const passes = ['test/fixtures/suites/results.mjs', '[{"name":"is","status":"passed","durationMs":1}]'];

async function recordOf(result: CliResult): Promise<RunRecord> {
  const text = await readFile(path.join(artifactsOf(result), 'record.json'), 'utf8');
  return runRecordSchema.parse(JSON.parse(text));
}

/** The most that the limits of these suites' environments ever added up to, in MiB. */
async function mostMbDuring(suites: readonly string[], work: Promise<unknown>): Promise<number> {
  const over = new AbortController();
  const end = work.finally(() => {
    over.abort();
  });
  let most = 0;
  const isOurs = (stack: string): boolean => suites.some((suite) => stack.endsWith(`-${suite}`));
  while (!over.signal.aborted) {
    const limits = [...(await engine.limitsByStack())].filter(([stack]) => isOurs(stack));
    most = Math.max(
      most,
      limits.reduce((sum, [, mb]) => sum + mb, 0),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await end;
  return most;
}

test(
  'of two runs whose environments do not fit at once one waits, and is told for whom',
  async () => {
    const { memoryMb: hostMb } = await engine.host();
    const memoryMb = Math.floor((hostMb - hostReserveMb) * 0.55);
    const suites = ['admission-a', 'admission-b'];
    const runs = suites.map((suite) =>
      runCli({ args: [], settings: settingsFor(memoryMb, { [suite]: passes }) }),
    );
    const most = await mostMbDuring(suites, Promise.all(runs));
    expect(most).toBe(memoryMb);
    const results = await Promise.all(runs);
    const records = await Promise.all(results.map(recordOf));
    expect(records.map((record) => record.suites[0]?.outcome)).toEqual([
      { kind: 'passed' },
      { kind: 'passed' },
    ]);
    const told = results.map(({ stderr }) => stderr.includes('waiting for memory'));
    expect(told.toSorted()).toEqual([false, true]);
    const first = records[told.indexOf(false)]?.suites[0]?.stack;
    // Other tests' environments may be there as well.
    expect(results[told.indexOf(true)]?.stderr).toMatch(
      new RegExp(`${String(memoryMb)} MiB don't fit beside .*${String(first)} \\(${String(memoryMb)} MiB\\)`),
    );
  },
  timeoutMs,
);

test(
  'of one run two suites are at work at once, when two jobs are asked for and both fit',
  async () => {
    const meets = ['test/fixtures/suites/meets.mjs', path.join(folder, 'meeting'), '2'];
    const settings = settingsFor(smallMb, { 'meets-a': meets, 'meets-b': meets });
    const record = await recordOf(await runCli({ args: ['--jobs', '2'], settings }));
    expect(record.suites.map(({ outcome }) => outcome)).toEqual([{ kind: 'passed' }, { kind: 'passed' }]);
    expect(record).toMatchObject({ jobs: 2, mostAtOnce: 2 });
  },
  timeoutMs,
);

test(
  'what can never fit is refused with the table of who asks for what, and nothing is made',
  async () => {
    const { memoryMb } = await engine.host();
    const result = await runCli({ args: [], settings: settingsFor(memoryMb, { 'never-fits': passes }) });
    expect(result.exitCode).toBe(exitCodes.error);
    expect(result.stderr).toContain(`the services' memory limits sum up to ${String(memoryMb)} MiB`);
    expect(result.stderr).toMatch(/│ backend +│ +\d+ │/);
    expect(result.stateFiles).toEqual([]);
    const made = (await engine.everything()).filter(
      ({ labels }) => labels['rehearsal.suite'] === 'never-fits',
    );
    expect(made).toEqual([]);
  },
  timeoutMs,
);
