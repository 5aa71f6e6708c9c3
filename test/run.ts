/**
 * `npm test`: makes the machine ready, runs the tests and ends with the line `N passed, N failed`.
 * `--category NAME` runs one Jest project; `critical` goes through the runner, each suite in an environment of
 * its own.
 */
import { randomInt } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { Command, Option } from 'commander';
import { execa } from 'execa';
import { terminalProgress } from '../engine/progress.js';
import { setUp } from '../engine/setup.js';
import { checkout, workFolder } from '../engine/state.js';
import { messageOf } from '../runners/errors.js';
import { rehearse } from '../runners/rehearsal.js';
import { terminalReport } from '../runners/report/terminal.js';
import { countsOf, type Counts } from './helpers/jest-counts.js';

/**
 * What runs at the same time, one group after the other. Tests that start environments mostly wait for them, but
 * more than two would fight for memory; those that judge delays need the machine for themselves.
 */
const groups = [
  { projects: ['components', 'engine', 'runners'], workers: '100%' },
  { projects: ['integration'], workers: '2' },
  { projects: ['faults'], workers: '1' },
];
const critical = 'critical';

async function runJest(projects: readonly string[], workers: string): Promise<Counts> {
  const outputFile = path.join(workFolder, `jest-${String(process.pid)}-${projects.join('-')}.json`);
  const seed = randomInt(2 ** 31);
  process.stdout.write(`Random order, seed ${String(seed)} (repeat it with jest's --seed)\n`);
  const result = await execa(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      path.join('node_modules', 'jest', 'bin', 'jest.js'),
      ...['--selectProjects', ...projects],
      ...['--randomize', `--seed=${String(seed)}`, '--json', `--outputFile=${outputFile}`],
      `--maxWorkers=${workers}`,
    ],
    { cwd: checkout, stdin: 'ignore', stdout: 'inherit', stderr: 'inherit', reject: false },
  );
  try {
    return countsOf(await readFile(outputFile, 'utf8'), result.failed);
  } catch (error) {
    process.stderr.write(`Jest left no readable result: ${messageOf(error)}\n`);
    return { passed: 0, failed: 1 };
  } finally {
    await rm(outputFile, { force: true });
  }
}

async function runCritical(): Promise<Counts> {
  const choices = { profile: 'small', suites: [], categories: [critical], keepOnFailure: false, users: 10 };
  const { record, folder } = await rehearse(choices, checkout, terminalProgress());
  process.stdout.write(`${terminalReport(record, folder)}\n`);
  const tests = record.suites.flatMap((suite) => suite.tests);
  const passed = tests.filter(({ status }) => status === 'passed').length;
  const failed = tests.length - passed;
  // A run can be a no-go although each test that ran has passed.
  return { passed, failed: failed === 0 && record.verdict.decision === 'no-go' ? 1 : failed };
}

async function runTests(category: string | undefined): Promise<Counts> {
  if (category === critical) return runCritical();
  await setUp({ progress: terminalProgress() });
  await mkdir(workFolder, { recursive: true });
  const all: Counts = { passed: 0, failed: 0 };
  for (const { projects, workers } of groups) {
    const chosen = projects.filter((project) => category === undefined || project === category);
    if (chosen.length === 0) continue;
    const { passed, failed } = await runJest(chosen, workers);
    all.passed += passed;
    all.failed += failed;
  }
  return all;
}

const program = new Command('npm test --')
  .description('Runs every test but the critical suites, or those of one category.')
  .addOption(
    new Option('--category <name>', 'only these').choices([
      ...groups.flatMap(({ projects }) => projects),
      critical,
    ]),
  )
  .action(async ({ category }: { category?: string }) => {
    const { passed, failed } = await runTests(category);
    process.stdout.write(`${String(passed)} passed, ${String(failed)} failed\n`);
    process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.stdout.write('0 passed, 1 failed\n');
  process.exitCode = 1;
}
