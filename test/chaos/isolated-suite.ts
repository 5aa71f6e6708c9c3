/**
 * A critical suite that also looks, at its end, whether its environment holds anything of anybody else's:
 * `node --import tsx test/chaos/isolated-suite.ts NAME`, as the command of a suite of that name.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { parseConfig } from '../../components/config.js';
import { endpointsSchema } from '../../components/outputs.js';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { checkout } from '../../engine/state.js';
import { messageOf } from '../../runners/errors.js';
import type { TestResult } from '../../runners/report/record.js';
import { allSuites, chooseSuites } from '../../runners/suites.js';
import { foreignContainers } from './support/foreign-containers.js';
import { foreignData } from './support/foreign-data.js';
import { isolationTest } from './support/isolation-test.js';

const { REHEARSAL_ENVIRONMENT = '', REHEARSAL_RESULTS = '' } = process.env;

async function isolation(suite: string): Promise<TestResult> {
  const startedMs = performance.now();
  let problems: string[];
  try {
    const endpoints = endpointsSchema.parse(JSON.parse(readFileSync(REHEARSAL_ENVIRONMENT, 'utf8')));
    const accounts = readFileSync(path.join(REHEARSAL_RESULTS, 'accounts.txt'), 'utf8').trimEnd().split('\n');
    problems = [
      ...(await foreignContainers(connectDocker(resolveDockerHost()), endpoints, suite)),
      ...(await foreignData(endpoints, accounts)),
    ];
  } catch (error) {
    problems = [messageOf(error)];
  }
  const result = {
    name: isolationTest,
    durationMs: performance.now() - startedMs,
  };
  if (problems.length === 0) return { ...result, status: 'passed' };
  return { ...result, status: 'failed', failure: problems.join('\n') };
}

const [name = ''] = process.argv.slice(2);
const [suite] = chooseSuites(allSuites(parseConfig({}, 'the defaults'), checkout), [name], []);
const [command = '', ...args] = suite?.command ?? [];
const { exitCode = 1 } = await execa(command, args, { stdio: 'inherit', reject: false });
const result = await isolation(name);
const file = path.join(REHEARSAL_RESULTS, 'tests.json');
const report = JSON.parse(readFileSync(file, 'utf8')) as { tests: TestResult[] };
writeFileSync(file, JSON.stringify({ ...report, tests: [...report.tests, result] }));
process.exitCode = result.status === 'passed' ? exitCode : 1;
