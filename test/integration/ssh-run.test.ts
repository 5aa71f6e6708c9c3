import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { labelKeys } from '../../components/labels.js';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { folderOf } from '../../engine/ssh/target.js';
import { isConnected } from '../../engine/ssh/tunnel.js';
import { waitUntil } from '../../engine/wait.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { readLeases } from '../../runners/leases.js';
import { isProvablyDead } from '../../runners/owner.js';
import { runRecordSchema, type RunRecord } from '../../runners/report/record.js';
import { artifactsOf, npmRun, runCli, type CliOptions, type CliResult } from '../helpers/cli.js';
import { startSshHost, type SshHost } from '../helpers/ssh-host.js';
import { cacheWithOwnLeases, whileNobodyElseCollects } from './support/collecting.js';

const timeoutMs = 10 * 60_000;
const small = { 'rehearsal:profile': 'small' };

let host: SshHost;
let state: string;

beforeAll(async () => {
  state = await mkdtemp(path.join(tmpdir(), 'rehearsal-ssh-state-'));
  host = await startSshHost();
}, timeoutMs);

afterAll(async () => {
  await host.dismiss();
  await rm(state, { recursive: true });
}, timeoutMs);

type Config = Record<string, unknown>;

const runThere = (config: Config, options: Partial<CliOptions> = {}): Promise<CliResult> =>
  runCli({
    args: [],
    settings: stringify({ config: { ...small, 'rehearsal:host': host.settings, ...config } }),
    ...options,
  });

async function recordOf(result: CliResult): Promise<RunRecord> {
  const text = await readFile(path.join(artifactsOf(result), 'record.json'), 'utf8');
  return runRecordSchema.parse(JSON.parse(text));
}

/** Whatever is there, of whichever run. */
async function containersOn(dockerHost: string): Promise<string[]> {
  const found = await connectDocker(dockerHost).listContainers({ all: true });
  return found.map(({ Labels }) => Labels[labelKeys.run] ?? 'nobody');
}
const containersThere = (): Promise<string[]> => containersOn(host.dockerHost());

/** A suite that needs the environment for so long. */
const asking = (seconds: number): Config => ({
  'rehearsal:suites': [
    {
      name: 'asks',
      command: [process.execPath, 'test/fixtures/suites/asks.mjs', String(seconds)],
      timeoutSeconds: 120,
    },
  ],
});

/** Does something once, as soon as the suite runs. */
function whenSuiteRuns(
  act: () => Promise<void>,
): Pick<CliOptions, 'onOutput'> & { done: () => Promise<void> } {
  let acting: Promise<void> | undefined;
  return {
    onOutput(text) {
      if (text.includes('… asks: suite')) acting ??= act();
    },
    done: async () => {
      await acting;
    },
  };
}

describe('the main job on another machine', () => {
  let result: CliResult;
  let record: RunRecord;
  let seenHere: string[];

  beforeAll(async () => {
    result = await runThere(
      {},
      {
        args: ['--suite', 'websocket-agent-events'],
        onOutput(text) {
          if (text.includes('websocket-agent-events: suite')) {
            void containersOn(resolveDockerHost()).then((runs) => (seenHere = runs));
          }
        },
      },
    );
    record = await recordOf(result);
  }, timeoutMs);

  test('says what it says on this one', () => {
    expect(record.suites[0]?.outcome).toEqual({ kind: 'passed' });
    // How fast events are, and whether that says anything, depends on what else the machine does; that they were
    // measured does not.
    const [delivery] = record.verdict.metrics.filter(({ name }) => name === 'event delivery, p99');
    expect(record.suites[0]?.latency.measured).toBe(true);
    const others = record.verdict.metrics.filter((metric) => metric !== delivery);
    expect(others.filter(({ result: is }) => is !== 'ok').map(({ name }) => name)).toEqual([
      'every suite chosen',
    ]);
    expect(result.exitCode).toBe(delivery?.result === 'ok' ? exitCodes.partial : exitCodes.noGo);
  });

  test('says where, and how well the clocks are known', () => {
    const where = `ssh://runner@${host.address}`;
    expect(record.host.where).toBe(where);
    expect(result.stdout).toMatch(`at ${where}, cgroup v`);
    const { clock } = record.suites[0] ?? {};
    if (clock?.measured !== true) throw new Error('the clocks were not compared');
    expect(clock.value.host?.uncertaintyMs).toBeGreaterThan(0);
    expect(result.stdout).toMatch(/^Its clock is -?\d+\.\d ± \d+\.\d ms ahead of ours/m);
  });

  test("has sampled the memory by the host's engine, and not asked this machine's kernel", async () => {
    const memory = record.suites[0]?.memory;
    if (memory?.measured !== true) throw new Error('the memory was not measured');
    expect(memory.value.gaps).toEqual([]);
    expect(memory.value.host).toBeUndefined();
    const samples = await readFile(
      path.join(artifactsOf(result), 'websocket-agent-events', 'memory.jsonl'),
      'utf8',
    );
    expect(samples).not.toContain('"kernel"');
  });

  test('was there and not here, and has left nothing', async () => {
    expect(seenHere).not.toContain(record.runId);
    expect(await containersThere()).toEqual([]);
    expect(result.stateFiles).toEqual([]);
    const { leases } = await readLeases();
    expect(leases.filter(({ runId }) => runId === record.runId)).toEqual([]);
  });
});

async function cutOff(): Promise<void> {
  await host.killSshd();
  await host.startSshd();
}

/** For as long as the client needs to see that nobody answers. */
async function goSilent(): Promise<void> {
  const folder = folderOf(host);
  const speak = await host.silence();
  const wait = { what: 'the end of the connection', deadlineMs: 60_000, intervalMs: 100 };
  await waitUntil(
    () => isConnected(folder),
    (stands) => !stands,
    wait,
  );
  await speak();
}

test.each([
  ['ends', cutOff],
  ['goes silent', goSilent],
])(
  'a connection that %s while a suite runs is no fault of the suite: the environment goes by a new one',
  async (_, act) => {
    const cut = whenSuiteRuns(act);
    const result = await runThere(asking(60), cut);
    await cut.done();
    const record = await recordOf(result);
    expect(record.suites[0]?.outcome).toEqual({
      kind: 'errored',
      phase: 'suite',
      message: expect.stringMatching(
        `the connection to ssh://runner@${host.address} was cut \\(seen at .*Z\\)`,
      ) as unknown,
    });
    expect(result.exitCode).toBe(exitCodes.harnessError);
    expect(record.suites[0]?.destruction).toEqual({ kind: 'destroyed' });
    expect(await containersThere()).toEqual([]);
    expect(result.stateFiles).toEqual([]);
  },
  timeoutMs,
);

test(
  'a daemon killed before the destroy is a no-go that keeps the state, and gc finishes when it is back',
  async () => {
    const { cache, leases } = await cacheWithOwnLeases();
    const env = { PULUMI_BACKEND_URL: pathToFileURL(state).href, REHEARSAL_CACHE: cache };
    const kill = whenSuiteRuns(() => host.killDaemon());
    const result = await runThere(asking(5), { ...kill, env, ownState: false });
    await kill.done();
    expect(result.exitCode).toBe(exitCodes.leak);
    const record = await recordOf(result);
    const [suite] = record.suites;
    expect(suite?.destruction).toMatchObject({
      kind: 'failed',
      message: expect.stringContaining('its Docker Engine does not answer: start it there') as unknown,
    });
    const stateFile = path.join(state, '.pulumi', 'stacks', 'rehearsal', `${suite?.stack ?? ''}.json`);
    expect(existsSync(stateFile)).toBe(true);
    // The janitor has no more luck.
    const janitorLog = path.join(artifactsOf(result), 'janitor.log');
    await waitUntil(
      () => readFile(janitorLog, 'utf8').catch(() => ''),
      (text) => text.includes('its Docker Engine does not answer'),
      { what: "the janitor's complaint", deadlineMs: 60_000, intervalMs: 100 },
    );
    // While he is at it nobody else collects it.
    await waitUntil(
      async () => (await readLeases(leases)).leases.find(({ stack }) => stack === suite?.stack),
      (lease) => lease === undefined || isProvablyDead(lease.owner),
      { what: "the janitor's end", deadlineMs: 60_000, intervalMs: 100 },
    );

    await host.startDaemon();
    expect(new Set(await containersThere())).toEqual(new Set([record.runId]));
    const gc = await whileNobodyElseCollects(() => npmRun('rehearsal', ['gc'], env));
    expect(gc.stderr).toMatch(new RegExp(`✔ ${suite?.stack ?? ''}: .*: destroyed`));
    expect(await containersThere()).toEqual([]);
    expect(existsSync(stateFile)).toBe(false);
    expect((await readLeases(leases)).leases).toEqual([]);
  },
  timeoutMs,
);

test(
  'a host that is too small is refused before there is anything on it',
  async () => {
    await host.pretendMemory(2048);
    const result = await runThere({});
    await host.pretendMemory(16_384);
    expect(result.exitCode).toBe(exitCodes.error);
    expect(result.stderr).toMatch(/sum up to 1712 MiB, the Docker host has 2048 MiB/);
    expect(await containersThere()).toEqual([]);
    expect(result.stateFiles).toEqual([]);
  },
  timeoutMs,
);

test(
  'a host that shows another key than the pinned one is refused',
  async () => {
    const anotherKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ78IzlJJmabi6A2r8c6l2xDpX5jOl4IQFtVwVZDmRPk';
    const result = await runThere({ 'rehearsal:host': { ...host.settings, hostKey: anotherKey } });
    expect(result.exitCode).toBe(exitCodes.error);
    expect(result.stderr).toMatch(/shows the host key SHA256:\S+ \(ssh-ed25519\), pinned is SHA256:/);
    expect(await containersThere()).toEqual([]);
  },
  timeoutMs,
);
