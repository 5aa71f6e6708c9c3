import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from '@jest/globals';
import { parseConfig } from '../../components/config.js';
import { labelKeys } from '../../components/labels.js';
import type { ServiceName } from '../../components/services.js';
import { connectDocker } from '../../engine/docker.js';
import { setUp } from '../../engine/setup.js';
import { checkout } from '../../engine/state.js';
import { waitUntil } from '../../engine/wait.js';
import { dockerEngine } from '../../runners/docker.js';
import { newRunId } from '../../runners/names.js';
import { admit, run } from '../../runners/run.js';
import { compileProgram } from '../../runners/program.js';
import { pulumiStacks } from '../../runners/stack.js';
import { commandRunner, resultsFolderName } from '../../runners/suite-runner.js';
import { allSuites } from '../../runners/suites.js';
import { runIn } from '../helpers/containers.js';
import { silentProgress } from '../helpers/progress.js';
import { endlessRoom, fakeLeases, planFor } from '../runners/support/fakes.js';
import { faultTimeoutMs } from './support/environment.js';

interface Case {
  service: ServiceName;
  dataPath: string;
  suite: string;
}

const cases: Case[] = [
  { service: 'postgres', dataPath: '/var/lib/postgresql/data', suite: 'agent-orchestration-llm' },
  { service: 'clickhouse', dataPath: '/var/lib/clickhouse', suite: 'websocket-events-comprehensive' },
];

test.each(cases)(
  '$suite fails when the disk of $service gets full while it runs; suite and record name it',
  async ({ service, dataPath, suite: name }) => {
    const { dockerHost, pulumi, env: engineEnv } = await setUp({ progress: silentProgress });
    const docker = connectDocker(dockerHost);
    const folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-disk-'));
    const runId = newRunId(Date.now());
    const config = { 'rehearsal:profile': 'small' };
    const suites = allSuites(parseConfig(config, 'the test'), checkout).filter(
      (suite) => suite.name === name,
    );
    const plan = planFor([], {
      runId,
      folder,
      suites,
      settings: { source: 'a test', config, encryption: {} },
    });

    const fill = async (resultsFolder: string): Promise<void> => {
      // The suite writes it when the first connection is closed: it is at work.
      await waitUntil(
        () => Promise.resolve(existsSync(path.join(resultsFolder, 'latencies.jsonl'))),
        (begun) => begun,
        { what: 'the suite at work', deadlineMs: 60_000, intervalMs: 20 },
      );
      const label = [`${labelKeys.run}=${runId}`, `${labelKeys.service}=${service}`];
      const [container] = await docker.listContainers({ filters: { label } });
      await runIn(docker.getContainer(container?.Id ?? ''), [
        'sh',
        '-c',
        `cat /dev/zero >${dataPath}/filler`,
      ]);
    };
    const runner = commandRunner(checkout, engineEnv['REHEARSAL_CHROMIUM']);
    const engine = dockerEngine(docker);
    const never = new AbortController().signal;
    const env = { ...process.env, ...engineEnv, PULUMI_BACKEND_URL: pathToFileURL(folder).href };
    const program = path.join(checkout, 'test', 'fixtures', 'small-disks.ts');
    const record = await run(
      plan,
      await admit(plan, engine),
      {
        room: endlessRoom,
        leases: fakeLeases(),
        stacks: pulumiStacks(pulumi, env, checkout, () => compileProgram(checkout, program)),
        engine,
        suites: {
          async run(request) {
            const [result] = await Promise.all([
              runner.run(request),
              fill(path.join(request.folder, resultsFolderName)),
            ]);
            return result;
          },
        },
      },
      { stop: never, abandon: never },
      silentProgress,
      () => Promise.resolve(),
    );

    const [suite] = record.suites;
    expect(suite?.crashes).toMatchObject({
      measured: true,
      value: expect.arrayContaining([
        {
          service,
          kind: 'disk full',
          at: expect.any(String),
          evidence: expect.stringMatching(/No space left on device/),
        },
      ]),
    });
    expect(suite?.outcome.kind).toBe('failed');
    const failures = suite?.tests.flatMap(({ failure }) => failure ?? []).join('\n');
    expect(failures).toMatch(
      new RegExp(`out of order: .*${service}: a write: .*No space left on device`, 's'),
    );
    expect(record.verdict.decision).toBe('no-go');
    expect(await engine.leftovers({ runId, suite: name })).toEqual([]);
    await rm(folder, { recursive: true });
  },
  faultTimeoutMs,
);
