import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type Docker from 'dockerode';
import { stringify } from 'yaml';
import { labelKeys } from '../../components/labels.js';
import type { ServiceName } from '../../components/services.js';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { waitUntil } from '../../engine/wait.js';
import { dockerEngine } from '../../runners/docker.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { runRecordSchema, type Crash, type SuiteRecord } from '../../runners/report/record.js';
import { artifactsOf, runCli, type CliResult } from '../helpers/cli.js';
import { runIn } from '../helpers/containers.js';

/** Faults of the environment in a run as people start it: found, named, the suite over, nothing left. */
const docker = connectDocker(resolveDockerHost());
const timeoutMs = 5 * 60_000;
const suiteTimeoutSeconds = 120;
/** A file that makes redis ill: its health check fails while it is there. */
const illness = '/data/ill';

type Injection = (container: Docker.Container) => Promise<unknown>;

interface Found {
  result: CliResult;
  suite: SuiteRecord;
}

let count = 0;

/** A run of one suite that does nothing, with the fault put in as soon as it is in that phase. */
async function rehearseWith(
  service: ServiceName,
  inject: Injection,
  { phase = 'suite', command = ['sleep', String(suiteTimeoutSeconds)] } = {},
): Promise<Found> {
  count += 1;
  const name = `fault-${String(process.pid)}-${String(count)}`;
  let injected: Promise<unknown> | undefined;
  const result = await runCli({
    args: [],
    settings: stringify({
      config: {
        'rehearsal:profile': 'small',
        'rehearsal:services': {
          redis: {
            healthCheck: {
              command: ['sh', '-c', `test ! -e ${illness}`],
              ...{ intervalSeconds: 1, timeoutSeconds: 10, retries: 1, startPeriodSeconds: 60 },
            },
          },
        },
        'rehearsal:suites': [{ name, command, timeoutSeconds: suiteTimeoutSeconds }],
      },
    }),
    onOutput(text) {
      if (text.includes(`… ${name}: ${phase}`)) injected ??= containerOf(name, service).then(inject);
    },
  });
  await injected;
  const text = await readFile(path.join(artifactsOf(result), 'record.json'), 'utf8');
  const record = runRecordSchema.parse(JSON.parse(text));
  const [suite] = record.suites;
  if (suite === undefined) throw new Error('the record has no suite');
  expect(record.verdict.decision).toBe('no-go');
  expect(suite.destruction).toEqual({ kind: 'destroyed' });
  expect(await dockerEngine(docker).leftovers({ runId: record.runId, suite: name })).toEqual([]);
  expect(result.stateFiles).toEqual([]);
  return { result, suite };
}

/** Waits for the container: it may be on its way up. */
async function containerOf(suite: string, service: ServiceName): Promise<Docker.Container> {
  const label = [`${labelKeys.suite}=${suite}`, `${labelKeys.service}=${service}`];
  const [container] = await waitUntil(
    () => docker.listContainers({ filters: { label } }),
    (containers) => containers.length > 0,
    { what: `a container of ${service}`, deadlineMs: 60_000, intervalMs: 50 },
  );
  return docker.getContainer(container?.Id ?? '');
}

/** It ends by itself: nobody sends it a signal through the engine. */
const endFromInside: Injection = (container) => runIn(container, ['sh', '-c', 'kill -TERM 1']);

interface Case {
  fault: string;
  service: ServiceName;
  inject: Injection;
  crash: Partial<Crash>;
  outcome: 'failed' | 'errored';
}

const cases: Case[] = [
  {
    fault: 'is paused',
    service: 'redis',
    inject: (container) => container.pause(),
    crash: { kind: 'paused', evidence: 'it was paused' },
    outcome: 'errored',
  },
  {
    fault: 'is cut off',
    service: 'backend',
    async inject(container) {
      const { NetworkSettings } = await container.inspect();
      const [network = ''] = Object.keys(NetworkSettings.Networks);
      await docker.getNetwork(network).disconnect({ Container: container.id });
    },
    crash: { kind: 'cut off', evidence: 'it was taken off its network' },
    outcome: 'errored',
  },
  {
    fault: 'is killed',
    service: 'postgres',
    inject: (container) => container.kill(),
    crash: { kind: 'killed', exitCode: 137 },
    outcome: 'errored',
  },
  {
    fault: 'ends by itself',
    service: 'redis',
    inject: endFromInside,
    crash: { kind: 'exit', exitCode: 0, evidence: 'it ended with exit code 0' },
    outcome: 'failed',
  },
  {
    fault: 'fails its health check',
    service: 'redis',
    inject: (container) => runIn(container, ['touch', illness]),
    crash: { kind: 'unhealthy', evidence: 'its health check failed too often' },
    outcome: 'failed',
  },
];

describe('a fault while the suite runs', () => {
  test.each(cases)(
    'ends it when $service $fault, and the record names it',
    async ({ service, inject, crash, outcome }) => {
      const { result, suite } = await rehearseWith(service, inject);
      expect(suite.crashes).toMatchObject({ measured: true, value: [{ service, ...crash }] });
      expect(suite.outcome.kind).toBe(outcome);
      const said = JSON.stringify(suite.outcome);
      expect(said).toContain(`${service} ${String(crash.kind)} at `);
      expect(said).toContain(`last log lines of ${service}:`);
      expect(result.exitCode).toBe(outcome === 'failed' ? exitCodes.noGo : exitCodes.harnessError);
    },
    timeoutMs,
  );

  test(
    'that the service survives, an OOM kill of a child, does not end it and is named',
    async () => {
      const command = ['sh', '-c', 'sleep 5'];
      const eatMemory: Injection = (container) => runIn(container, ['tail', '/dev/zero']);
      const { suite } = await rehearseWith('redis', eatMemory, { command });
      expect(suite.crashes).toMatchObject({ measured: true, value: [{ service: 'redis', kind: 'oom' }] });
      // It wrote no results, as it was not asked to.
      expect(suite.outcome).toMatchObject({ kind: 'failed', reason: expect.stringContaining('exit code 0') });
    },
    timeoutMs,
  );
});

test(
  'a service that ends after it was ready ends the way up, and the record names it',
  async () => {
    // The backend is started when redis is ready, and waits for it.
    const endOfRedis: Injection = async (backend) => {
      const { Config } = await backend.inspect();
      await endFromInside(await containerOf(Config.Labels[labelKeys.suite] ?? '', 'redis'));
    };
    const { suite, result } = await rehearseWith('backend', endOfRedis, { phase: 'environment up' });
    expect(suite.outcome).toMatchObject({
      kind: 'errored',
      phase: 'up',
      message: expect.stringContaining('redis exit at '),
    });
    expect(result.exitCode).toBe(exitCodes.harnessError);
  },
  timeoutMs,
);
