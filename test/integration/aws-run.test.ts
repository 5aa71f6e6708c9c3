import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { waitUntil } from '../../engine/wait.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { readLeases } from '../../runners/leases.js';
import { runRecordSchema, type RunRecord } from '../../runners/report/record.js';
import { startCloud, type TestCloud } from '../helpers/aws/cloud.js';
import { artifactsOf, npmRun, runCli, type CliOptions, type CliResult } from '../helpers/cli.js';

const timeoutMs = 10 * 60_000;
const suite = 'websocket-agent-events';
const region = 'eu-central-1';

let cloud: TestCloud;

afterEach(async () => {
  expect(await cloud.stop()).toEqual([]);
});

const runThere = (options: Partial<CliOptions> = {}, config: object = {}): Promise<CliResult> =>
  runCli({
    args: ['--suite', suite],
    env: cloud.env,
    settings: stringify({
      config: {
        'rehearsal:profile': 'small',
        // Nobody asks Amazon for it.
        'rehearsal:host': { kind: 'aws', region, runnerAddress: '198.51.100.7' },
        ...config,
      },
    }),
    ...options,
  });

async function recordOf(result: CliResult): Promise<RunRecord> {
  const text = await readFile(path.join(artifactsOf(result), 'record.json'), 'utf8');
  return runRecordSchema.parse(JSON.parse(text));
}

/** Nothing is left in AWS, in the state or among the leases. */
async function expectNothingLeft(result: CliResult, { runId }: RunRecord): Promise<void> {
  expect(cloud.ec2.remaining()).toEqual([]);
  expect(result.stateFiles).toEqual([]);
  expect((await readLeases()).leases.filter((lease) => lease.runId === runId)).toEqual([]);
}

test(
  'a run makes a host for its suite, and has the same verdict and evidence as anywhere',
  async () => {
    cloud = await startCloud();
    const result = await runThere();
    const record = await recordOf(result);
    expect(record.suites.map(({ name, outcome }) => [name, outcome])).toEqual([[suite, { kind: 'passed' }]]);
    const [tested] = record.suites;
    expect(tested?.destruction).toEqual({ kind: 'destroyed' });
    expect(tested?.memory).toMatchObject({ measured: true, value: { gaps: [] } });
    expect(tested?.crashes).toEqual({ measured: true, value: [] });
    expect(tested?.problems).toEqual([]);
    const wanting = record.verdict.metrics.filter(({ result: is }) => is !== 'ok').map(({ name }) => name);
    // How fast events are, and whether that says anything, depends on what else the machine does; that they were
    // measured does not.
    const delivery = record.verdict.metrics.find(({ name }) => name === 'event delivery, p99');
    expect(record.suites[0]?.latency.measured).toBe(true);
    expect(wanting.filter((name) => name !== delivery?.name)).toEqual(['every suite chosen']);
    expect(result.exitCode).toBe(wanting.length === 1 ? exitCodes.partial : exitCodes.noGo);
    expect(record.host).toMatchObject({
      where: expect.stringContaining(`c7i.large in ${region}`),
      engineVersion: expect.stringMatching(/^\d/),
    });
    // With AWS's client, too.
    expect(record.runner.peakRssMb).toBeLessThan(200);
    await expectNothingLeft(result, record);
  },
  timeoutMs,
);

const forever = {
  name: 'waits',
  command: [process.execPath, 'test/fixtures/suites/forever.mjs'],
  timeoutSeconds: 300,
};

test(
  'a host that dies while its suite runs is a harness error, its destroy ends by itself, and gc finds nothing',
  async () => {
    cloud = await startCloud();
    let dying: Promise<void> | undefined;
    const result = await runThere(
      {
        args: [],
        onOutput(text) {
          if (text.includes('… waits: suite')) dying ??= cloud.host().die();
        },
      },
      { 'rehearsal:suites': [forever] },
    );
    await dying;
    const record = await recordOf(result);
    expect(record.suites[0]?.outcome).toMatchObject({
      kind: 'errored',
      phase: 'suite',
      message: expect.stringMatching(/^the connection to ssh:\/\/rehearsal@[\d.]+ was cut/),
    });
    expect(record.suites[0]?.destruction).toEqual({ kind: 'destroyed' });
    expect(result.exitCode).toBe(exitCodes.harnessError);
    await expectNothingLeft(result, record);
    const gc = await npmRun('rehearsal', ['gc', '--dry-run', '--region', region], cloud.env);
    expect(gc.stderr).not.toContain(record.runId);
  },
  timeoutMs,
);

describe('when no host can be had', () => {
  test(
    'a quota that is used up is a harness error that says so, and nothing is left',
    async () => {
      const message = 'You have requested more vCPU capacity than your current vCPU limit of 0 allows.';
      cloud = await startCloud({
        refuse: (action) => (action === 'RunInstances' ? { code: 'VcpuLimitExceeded', message } : undefined),
      });
      const result = await runThere();
      const record = await recordOf(result);
      expect(record.suites[0]?.outcome).toMatchObject({
        kind: 'errored',
        phase: 'up',
        message: expect.stringContaining(`VcpuLimitExceeded: ${message}`),
      });
      expect(record.suites[0]?.problems).toEqual([]);
      expect(result.exitCode).toBe(exitCodes.harnessError);
      await expectNothingLeft(result, record);
    },
    timeoutMs,
  );

  test(
    'a region without the type is told before anything is begun',
    async () => {
      cloud = await startCloud({ withoutType: 'c7i.large' });
      const { exitCode, stderr } = await runThere();
      expect(exitCode).toBe(exitCodes.error);
      expect(stderr).toContain(
        `AWS, ${region}: the region has no instances of the type c7i.large: name others`,
      );
      expect(cloud.ec2.calls).toEqual(['DescribeInstanceTypeOfferings']);
    },
    timeoutMs,
  );

  test(
    'so are missing credentials',
    async () => {
      cloud = await startCloud();
      const nowhere = { AWS_CONFIG_FILE: '/nowhere', AWS_SHARED_CREDENTIALS_FILE: '/nowhere' };
      const none = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_EC2_METADATA_DISABLED: 'true' };
      const { exitCode, stderr } = await runThere({ env: { ...cloud.env, ...none, ...nowhere } });
      expect(exitCode).toBe(exitCodes.error);
      expect(stderr).toMatch(/AWS, eu-central-1: .*credentials/);
      expect(cloud.ec2.calls).toEqual([]);
    },
    timeoutMs,
  );
});

test(
  'a host that does not get ready is destroyed',
  async () => {
    cloud = await startCloud({ firstBootError: 'no package docker.io' });
    const result = await runThere();
    const record = await recordOf(result);
    expect(record.suites[0]?.outcome).toMatchObject({
      kind: 'errored',
      phase: 'up',
      message: expect.stringMatching(/cloud-init failed on .*: no package docker\.io/),
    });
    expect(cloud.ec2.calls).toContain('RunInstances');
    expect(result.exitCode).toBe(exitCodes.harnessError);
    await expectNothingLeft(result, record);
  },
  timeoutMs,
);

/** Ends the runner without a chance as soon as there is an instance. */
const killedWithInstance = (): Promise<CliResult> =>
  runThere({
    onOutput(_text, kill) {
      const watch = setInterval(() => {
        if (!cloud.ec2.remaining().some(({ kind, address }) => kind === 'instance' && address !== undefined))
          return;
        clearInterval(watch);
        kill('SIGKILL');
      }, 50);
      watch.unref();
    },
  });

test(
  'the janitor of a runner that is killed takes its host as well',
  async () => {
    // What it finds by its state is gone with the test's own: then the tags have to do.
    cloud = await startCloud();
    const before = new Set((await readLeases()).leases.map(({ runId }) => runId));
    await killedWithInstance();
    expect(cloud.ec2.calls).toContain('RunInstances');
    const left = async (): Promise<unknown[]> => [
      ...cloud.ec2.remaining(),
      // Until its lease is gone, every run on this machine tries to collect it.
      ...(await readLeases()).leases.filter((lease) => lease.region === region && !before.has(lease.runId)),
    ];
    await waitUntil(left, ({ length }) => length === 0, {
      what: 'the end of all that AWS has, and of the lease',
      deadlineMs: 60_000,
      intervalMs: 100,
    });
  },
  timeoutMs,
);
