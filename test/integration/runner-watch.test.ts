import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type Docker from 'dockerode';
import { labelKeys } from '../../components/labels.js';
import { connectDocker } from '../../engine/docker.js';
import { setUp } from '../../engine/setup.js';
import { waitUntil } from '../../engine/wait.js';
import { imageReference } from '../../images/manifest.js';
import { dockerEngine, type ContainerEngine } from '../../runners/docker.js';
import type { EventWatch } from '../../runners/event-watch.js';
import { findExhaustions, limitLines } from '../../runners/exhaustion.js';
import { findCrashes } from '../../runners/oom.js';
import type { Crash } from '../../runners/report/record.js';
import { readServiceLog } from '../../runners/service-log.js';
import { heldBack, release } from '../helpers/containers.js';
import { silentProgress } from '../helpers/progress.js';
import { temporaryFolder } from '../helpers/temporary.js';

/** What the runner sees of real containers that die, grow and go. */
const scope = { runId: `watch-test-${String(process.pid)}`, suite: 'none' };
const memoryMb = 32;
const eatsMemory = 'tail /dev/zero';

let docker: Docker;
let engine: ContainerEngine;

beforeAll(async () => {
  const { dockerHost } = await setUp({ progress: silentProgress });
  docker = connectDocker(dockerHost);
  engine = dockerEngine(docker);
}, 600_000);

afterEach(async () => {
  const label = [`${labelKeys.run}=${scope.runId}`];
  const containers = await docker.listContainers({ all: true, filters: { label } });
  for (const { Id } of containers) await docker.getContainer(Id).remove({ force: true, v: true });
});

async function start(script: string, network = 'none'): Promise<Docker.Container> {
  const bytes = memoryMb * 1024 * 1024;
  const container = await docker.createContainer({
    Image: imageReference('redis'),
    Entrypoint: ['sh', '-c', script],
    Labels: { [labelKeys.run]: scope.runId, [labelKeys.suite]: scope.suite, [labelKeys.service]: 'redis' },
    HostConfig: { Memory: bytes, MemorySwap: bytes, NetworkMode: network },
  });
  await container.start();
  return container;
}

/** Runs the script in a container until it `settled`, and says which crashes the runner makes of what it saw. */
async function crashesOf(
  script: string,
  settled: (container: Docker.Container) => Promise<boolean>,
): Promise<Crash[]> {
  const watch = await engine.watchEvents(scope);
  const container = await start(heldBack(script));
  await release(container);
  await waitUntil(
    () => settled(container),
    (done) => done,
    { what: `the end of: ${script}`, deadlineMs: 60_000, intervalMs: 100 },
  );
  const reports = await engine.reports(scope);
  const { events, brokenOff } = await watch.stop();
  expect(brokenOff).toBeUndefined();
  const states = reports.map(({ state }) => state);
  const logs = await Promise.all(
    reports.map(({ readLog }) => readLog((lines) => readServiceLog('redis', lines, limitLines))),
  );
  const exhaustions = findExhaustions(logs);
  return findCrashes({ events, states, exhaustions }, ['redis']);
}

const hasEnded = async (container: Docker.Container): Promise<boolean> =>
  !(await container.inspect()).State.Running;

async function hasSaid(text: string): Promise<boolean> {
  const [report] = await engine.reports(scope);
  const log = await report?.readLog((lines) => readServiceLog('redis', lines, []));
  return log?.last.some((line) => line.includes(text)) === true;
}

test('an OOM kill of the main process is one', async () => {
  const crashes = await crashesOf(`exec ${eatsMemory}`, hasEnded);
  expect(crashes).toMatchObject([{ service: 'redis', kind: 'oom', exitCode: 137 }]);
});

test('an OOM kill of a child is one, although the container runs on', async () => {
  const script = `${eatsMemory}; sleep 1; echo survived; sleep 1000`;
  const crashes = await crashesOf(script, () => hasSaid('survived'));
  expect(crashes).toMatchObject([
    { service: 'redis', kind: 'oom', evidence: 'the engine reported an OOM kill in it' },
  ]);
});

test('docker stop -t 0 is a kill with exit code 137, not an OOM kill', async () => {
  const crashes = await crashesOf('sleep 1000', async (container) => {
    await container.stop({ t: 0 });
    return true;
  });
  expect(crashes).toMatchObject([{ service: 'redis', kind: 'killed', exitCode: 137 }]);
});

test('an end of its own is an exit', async () => {
  const crashes = await crashesOf('exit 7', hasEnded);
  expect(crashes).toMatchObject([{ service: 'redis', kind: 'exit', exitCode: 7 }]);
});

test('a container that is removed while it runs was killed', async () => {
  const crashes = await crashesOf('sleep 1000', async (container) => {
    await container.remove({ force: true, v: true });
    return true;
  });
  expect(crashes).toMatchObject([{ service: 'redis', kind: 'killed', exitCode: 137 }]);
});

describe('a suite is told', () => {
  /** The first fault that the watch tells of, without being asked. */
  const faultOf = async ({ fault }: EventWatch): Promise<string> => {
    await waitUntil(
      () => Promise.resolve(fault.aborted),
      (aborted) => aborted,
      { what: 'a fault', deadlineMs: 60_000, intervalMs: 20 },
    );
    return (fault.reason as Error).message;
  };
  const network = (): Docker.Network => docker.getNetwork(scope.runId);

  beforeAll(async () => {
    await docker.createNetwork({ Name: scope.runId, Labels: { [labelKeys.run]: scope.runId } });
  });

  afterAll(async () => {
    await network().remove();
  });

  test.each([
    ['is paused', (container: Docker.Container) => container.pause(), 'it was paused'],
    ['is killed', (container: Docker.Container) => container.kill(), 'it ended with exit code 137'],
    [
      'is cut off',
      ({ id }: Docker.Container) => network().disconnect({ Container: id }),
      'it was taken off its network',
    ],
  ])('when a container %s, and nobody else is', async (_, harm, message) => {
    const own = await engine.watchEvents(scope);
    const others = await engine.watchEvents({ ...scope, suite: 'another' });
    await harm(await start('sleep 1000', scope.runId));
    expect(await faultOf(own)).toBe(`redis: ${message}`);
    await own.stop();
    expect(await others.stop()).toEqual({ events: [], seen: [] });
  });

  test('of an end, not of the network that is left by it', async () => {
    const watch = await engine.watchEvents(scope);
    const container = await start('sleep 1000', scope.runId);
    await container.kill();
    await waitUntil(
      async () => (await network().inspect()).Containers ?? {},
      (left) => Object.keys(left).length === 0,
      { what: 'an empty network', deadlineMs: 60_000, intervalMs: 20 },
    );
    await engine.reports(scope);
    expect((await watch.stop()).events.map(({ action }) => action)).toEqual(['kill', 'die']);
  });
});

test('a limit that was met long before the end of a log is found', async () => {
  const limit = "OOM command not allowed when used memory > 'maxmemory'";
  const script = `echo "${limit}"; seq 200000; echo survived; sleep 1000`;
  expect(await crashesOf(script, () => hasSaid('survived'))).toMatchObject([
    { service: 'redis', kind: 'exhausted', evidence: expect.stringContaining(limit) },
  ]);
});

test('a container that lives is no crash', async () => {
  expect(await crashesOf('echo up; sleep 1000', () => hasSaid('up'))).toEqual([]);
});

test('memory is sampled while it grows, on disk as it comes', async () => {
  const file = path.join(temporaryFolder('memory'), 'memory.jsonl');
  const events = await engine.watchEvents(scope);
  const container = await start(`head -c 20m /dev/zero | tail | { sleep 1000; }`);
  const watch = await engine.sampleMemory(
    [{ service: 'redis', containerId: container.id, limitMb: memoryMb }],
    file,
    events,
  );
  const peakOnDisk = async (): Promise<number> => {
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').slice(0, -1);
    return Math.max(0, ...lines.map((line) => (JSON.parse(line) as { usedMb?: number }).usedMb ?? 0));
  };
  await waitUntil(peakOnDisk, (peakMb) => peakMb > 15, {
    what: 'memory',
    deadlineMs: 60_000,
    intervalMs: 200,
  });
  const { memory, clock } = await watch.stop();
  await events.stop();
  if (!memory.measured) throw new Error(memory.reason);
  expect(memory.value.gaps).toEqual([]);
  expect(memory.value.services.redis?.limitMb).toBe(memoryMb);
  expect(memory.value.peakMb).toBeGreaterThan(15);
  expect(memory.value.peakMb).toBeLessThanOrEqual(memoryMb);
  // One machine, one clock.
  if (!clock.measured) throw new Error(clock.reason);
  expect(clock.value.engineAheadMs).toBeLessThan(2);
  expect(clock.value.setByMs).toBeLessThan(3);
});
