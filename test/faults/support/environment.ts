import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect } from '@jest/globals';
import type Docker from 'dockerode';
import { parseConfig, type StackConfig } from '../../../components/config.js';
import type { Endpoints, Outputs } from '../../../components/outputs.js';
import { connectDocker } from '../../../engine/docker.js';
import { setUp } from '../../../engine/setup.js';
import { checkout } from '../../../engine/state.js';
import { dockerEngine } from '../../../runners/docker.js';
import type { Leftover, Outcome } from '../../../runners/report/record.js';
import { pulumiStacks, type Stack } from '../../../runners/stack.js';
import { commandRunner, judge } from '../../../runners/suite-runner.js';
import { allSuites } from '../../../runners/suites.js';
import { silentProgress } from '../../helpers/progress.js';

export interface SuiteFindings {
  outcome: Outcome;
  /** What the failed tests say, each after its name. */
  failures: string[];
}

export interface FaultEnvironment {
  docker: Docker;
  outputs: Outputs;
  endpoints: Endpoints;
  /**
   * Runs a critical suite as the runner does.
   * @param endpoints what the suite is told; the environment's own by default.
   */
  runSuite(name: string, endpoints?: Endpoints): Promise<SuiteFindings>;
}

const users = 10;
/** A suite that meets a fault is to say so within its own time of 5 minutes, although several share the machine here. */
const suiteTimeoutMs = 240_000;
/** For a test that runs one suite. */
export const faultTimeoutMs = suiteTimeoutMs + 30_000;

const control = { timeoutMs: 240_000, onLine: () => undefined };

/**
 * An environment of profile `small` for the tests of one file: up before the first, destroyed after the last.
 * @param services settings of its services, as `rehearsal:services` has them.
 * @returns what gives the environment once it is up.
 */
export function provideEnvironment(services: StackConfig['services'] = {}): () => FaultEnvironment {
  let folder: string | undefined;
  let stack: Stack | undefined;
  let environment: FaultEnvironment | undefined;
  let leftovers: (() => Promise<Leftover[]>) | undefined;

  beforeAll(async () => {
    const engine = await setUp({ progress: silentProgress });
    const docker = connectDocker(engine.dockerHost);
    folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-faults-'));
    const name = path.basename(folder).toLowerCase();
    leftovers = () => dockerEngine(docker).leftovers({ runId: name, suite: 'none' });
    const env = { ...process.env, ...engine.env, PULUMI_BACKEND_URL: pathToFileURL(folder).href };
    const settings = { 'rehearsal:profile': 'small', 'rehearsal:services': services };
    stack = await pulumiStacks(engine.pulumi, env, checkout).create({
      name,
      folder,
      settings: { config: settings },
    });
    const outputs = await stack.up(control);
    const suites = allSuites(parseConfig(settings, 'the test'), checkout);
    const runner = commandRunner(checkout, engine.env['REHEARSAL_CHROMIUM']);
    const runsFolder = folder;
    environment = {
      docker,
      outputs,
      endpoints: outputs.endpoints,
      async runSuite(suiteName, endpoints = outputs.endpoints) {
        const suite = suites.find((candidate) => candidate.name === suiteName);
        if (suite === undefined) throw new Error(`there is no suite ${suiteName}`);
        const results = await mkdtemp(path.join(runsFolder, `${suiteName}-`));
        const environmentFile = path.join(results, 'environment.json');
        await writeFile(environmentFile, JSON.stringify(endpoints), { mode: 0o600 });
        const run = await runner.run({
          suite: { ...suite, timeoutMs: suiteTimeoutMs },
          environmentFile,
          folder: results,
          users,
          secrets: [],
          signal: new AbortController().signal,
          onLine: () => undefined,
        });
        const tests = run.tests.measured ? run.tests.value : [];
        const failures = tests.flatMap(({ name: test, failure }) =>
          failure === undefined ? [] : [`${test}\n${failure}`],
        );
        return { outcome: judge(run), failures };
      },
    };
  }, 600_000);

  afterAll(async () => {
    await stack?.destroy(control);
    const left = await leftovers?.();
    if (folder !== undefined) await rm(folder, { recursive: true });
    expect(left).toEqual([]);
  }, 300_000);

  return () => {
    if (environment === undefined) throw new Error('the environment is not up');
    return environment;
  };
}
