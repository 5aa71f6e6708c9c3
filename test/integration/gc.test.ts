import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { setUp, type EngineEnvironment } from '../../engine/setup.js';
import { checkout } from '../../engine/state.js';
import { imageReference } from '../../images/manifest.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { readLeases, writeLease, type Lease } from '../../runners/leases.js';
import { pulumiStacks, standingStacks, type StandingStacks } from '../../runners/stack.js';
import type { StackLabels } from '../../runners/stack-state.js';
import { npmRun } from '../helpers/cli.js';
import { silentProgress } from '../helpers/progress.js';
import { leaseOf } from '../runners/support/leases.js';
import { cacheWithOwnLeases, whileNobodyElseCollects } from './support/collecting.js';
import { labelled, leaveState } from './support/left-behind.js';

const timeoutMs = 5 * 60_000;
const hourMs = 3_600_000;
const [expired, unexpired] = [-hourMs, hourMs].map((ms) => new Date(Date.now() + ms).toISOString());
const docker = connectDocker(resolveDockerHost());

let state: string;
let prefix: string;
let engine: EngineEnvironment;
let environment: Record<string, string>;
let stacks: StandingStacks;
let leasesFolder: string;

beforeEach(async () => {
  state = await mkdtemp(path.join(tmpdir(), 'rehearsal-gc-test-'));
  prefix = path.basename(state).toLowerCase();
  const { cache, leases } = await cacheWithOwnLeases();
  leasesFolder = leases;
  environment = {
    PULUMI_BACKEND_URL: pathToFileURL(state).href,
    PULUMI_CONFIG_PASSPHRASE: '',
    REHEARSAL_CACHE: cache,
  };
  engine = await setUp({ progress: silentProgress, images: false });
  stacks = standingStacks({ ...engine, env: { ...engine.env, ...environment } }, checkout);
}, timeoutMs);

afterEach(async () => {
  await rm(state, { recursive: true, force: true });
});

/** A test that leaves things with labels, and removes what isn't collected. */
function testAlone(name: string, body: () => Promise<void>): void {
  const work = async (): Promise<void> => {
    try {
      await body();
    } finally {
      for (const volume of await volumes()) await docker.getVolume(volume).remove();
    }
  };
  test(name, () => whileNobodyElseCollects(work), timeoutMs);
}

/** What others left on this machine is collected, too, as far as that works. */
async function gc(...args: string[]): Promise<string> {
  const { exitCode, stderr } = await npmRun('rehearsal', ['gc', ...args], environment);
  // Tests beside this one have settings with regions in the checkout, which this one can't ask.
  const othersAreLeft = !args.includes('--dry-run') && /✖|Left alone: what is in /.test(stderr);
  expect({ exitCode, stderr }).toMatchObject({ exitCode: othersAreLeft ? exitCodes.leak : exitCodes.go });
  return stderr;
}
const destroyed = ({ stack }: StackLabels) =>
  expect.stringMatching(new RegExp(`✔ ${stack}: it was to live until .*: destroyed`));
const stateFileOf = (stack: string, project = 'rehearsal'): string =>
  path.join(state, '.pulumi', 'stacks', project, `${stack}.json`);
const labelsOf = (name: string, expiresAt = expired): StackLabels => {
  const stack = `${prefix}-${name}`;
  return { stack, run: stack, suite: 'none', expiresAt: expiresAt ?? '' };
};
const leave = (labels: StackLabels, project?: string): Promise<void> =>
  leaveState(engine.pulumi, { ...process.env, ...engine.env, ...environment }, labels, project);
const leaveVolume = (labels: StackLabels) =>
  docker.createVolume({ Name: `${labels.stack}-data`, Labels: labelled(labels) });

async function leases(): Promise<Lease[]> {
  return (await readLeases(leasesFolder)).leases;
}
async function volumes(): Promise<string[]> {
  const { Volumes } = await docker.listVolumes();
  return Volumes.map(({ Name }) => Name)
    .filter((name) => name.startsWith(prefix))
    .sort();
}

testAlone(
  'what outlived its time is found by its state and by its labels, and what has time left is not',
  async () => {
    const [both, onlyState, onlyLabels] = ['both', 'state', 'labels'].map((name) => labelsOf(name));
    const lives = labelsOf('lives', unexpired);
    const prolonged = labelsOf('prolonged');
    if (both === undefined || onlyState === undefined || onlyLabels === undefined) throw new Error('missing');
    for (const labels of [both, onlyState, lives, prolonged]) await leave(labels);
    for (const labels of [both, onlyLabels, lives, prolonged]) await leaveVolume(labels);
    await stacks.extend(prolonged.stack, unexpired ?? '');
    const alien = labelsOf('alien');
    await leave(alien, 'alien');
    const [namesBefore, volumesBefore] = [await stacks.names(), await volumes()];

    const dry = await gc('--dry-run');
    for (const { stack } of [both, onlyState, onlyLabels]) {
      expect(dry).toContain(`Would destroy ${stack}: it was to live until ${expired ?? ''}`);
    }
    expect(dry).toContain(`Left alone: ${prolonged.stack}: it was prolonged until ${unexpired ?? ''}`);
    for (const { stack } of [lives, alien]) expect(dry).not.toContain(stack);
    expect(await stacks.names()).toEqual(namesBefore);
    expect(await volumes()).toEqual(volumesBefore);

    const real = await gc();
    for (const labels of [both, onlyState, onlyLabels]) expect(real).toEqual(destroyed(labels));
    expect(existsSync(stateFileOf(alien.stack, 'alien'))).toBe(true);
    expect((await stacks.names()).sort()).toEqual([lives.stack, prolonged.stack]);
    expect(await volumes()).toEqual([`${lives.stack}-data`, `${prolonged.stack}-data`]);
  },
);

testAlone(
  'what can’t be read is named and left alone, and what a lease answers for is judged by that alone',
  async () => {
    const odd = labelsOf('odd', 'next week');
    const answered = labelsOf('answered');
    await leave(odd);
    await leave(answered);
    await leaveVolume(answered);
    const backend = environment['PULUMI_BACKEND_URL'] ?? '';
    const lease = leaseOf(answered.stack, { backend, standing: true, expiresAt: unexpired ?? '' });
    await writeLease(lease, leasesFolder);
    const stderr = await gc();
    expect(stderr).toContain(`Left alone: stack ${odd.stack}: its state has the expiry "next week", no time`);
    expect(stderr).not.toContain(answered.stack);
    expect((await stacks.names()).sort()).toEqual([answered.stack, odd.stack]);
    expect(await volumes()).toHaveLength(1);
    expect(await leases()).toHaveLength(1);
  },
);

/** As `up` writes it, when its time is over. */
async function leaveLease({ run: runId, suite, stack }: StackLabels, changes: Partial<Lease>): Promise<void> {
  const terms = { runId, suite, dockerHost: engine.dockerHost, standing: true, expiresAt: expired ?? '' };
  const madeAt = new Date(Date.now() - 2 * hourMs).toISOString();
  const lease = leaseOf(stack, { ...terms, madeAt, ...changes });
  await writeLease({ ...lease, owner: { ...lease.owner, bootId: 'an earlier boot' } }, leasesFolder);
}

testAlone(
  'a lease leads to the state, wherever it is and whatever locks it; what that says wins over the lease',
  async () => {
    const passphraseFile = path.join(state, 'passphrase');
    await writeFile(passphraseFile, 'another');
    const elsewhere = path.join(state, 'elsewhere');
    await mkdir(elsewhere);
    const backend = pathToFileURL(elsewhere).href;
    const env: NodeJS.ProcessEnv = { ...process.env, ...engine.env, PULUMI_BACKEND_URL: backend };
    delete env['PULUMI_CONFIG_PASSPHRASE'];
    env['PULUMI_CONFIG_PASSPHRASE_FILE'] = passphraseFile;
    const theirs = pulumiStacks(engine.pulumi, env, checkout);
    const [over, prolonged] = [labelsOf('over'), labelsOf('prolonged')];
    for (const labels of [over, prolonged]) {
      await leaveState(engine.pulumi, env, labels);
      await leaveVolume(labels);
      await leaveLease(labels, { backend, passphraseFile });
    }
    await theirs.extend(prolonged.stack, unexpired ?? '');
    const stderr = await gc();
    expect(stderr).toEqual(destroyed(over));
    expect(stderr).toContain(`Left alone: ${prolonged.stack}: it was prolonged until ${unexpired ?? ''}`);
    expect(await theirs.names()).toEqual([prolonged.stack]);
    expect(await volumes()).toEqual([`${prolonged.stack}-data`]);
    expect((await leases()).map(({ stack }) => stack)).toEqual([prolonged.stack]);
  },
);

describe('a lock on a stack', () => {
  async function leaveLock(stack: string, pid: number | undefined): Promise<void> {
    const folder = path.join(state, '.pulumi', 'locks', 'organization', 'rehearsal', stack);
    await mkdir(folder, { recursive: true });
    const lock = { pid, username: 'root', hostname: hostname(), timestamp: new Date().toISOString() };
    await writeFile(path.join(folder, `${crypto.randomUUID()}.json`), JSON.stringify(lock));
  }

  testAlone('is taken over by down when its holder is dead, and by nobody when he lives', async () => {
    const [locked, busy] = [labelsOf('locked', unexpired), labelsOf('busy')];
    await leave(locked);
    await leave(busy);
    await leaveVolume(busy);
    const program = path.join(state, 'pulumi');
    await copyFile('/bin/sleep', program);
    const holder = spawn(program, ['600']);
    await once(holder, 'spawn');
    try {
      const ended = spawn(process.execPath, ['--eval', '']);
      await once(ended, 'exit');
      await leaveLock(locked.stack, ended.pid);
      await leaveLock(busy.stack, holder.pid);
      const down = (stack: string) => npmRun('rehearsal', ['down', '--stack', stack], environment);
      expect(await down(locked.stack)).toMatchObject({ exitCode: exitCodes.go });
      const refusal = `stack ${busy.stack} is locked: process ${String(holder.pid)} is at work on it`;
      const refused = await down(busy.stack);
      expect(refused).toMatchObject({ exitCode: exitCodes.leak });
      for (const stderr of [refused.stderr, await gc()]) expect(stderr).toContain(refusal);
      expect(await stacks.names()).toEqual([busy.stack]);
      expect(await volumes()).toEqual([`${busy.stack}-data`]);
    } finally {
      holder.kill();
      await once(holder, 'exit');
      await rm(path.join(checkout, '.rehearsal', 'down', busy.stack), { recursive: true, force: true });
    }
  });
});

testAlone(
  'a stack whose backend is gone is removed by its labels, and its lease given back; one whose backend does not answer keeps its lease',
  async () => {
    const [gone, mute] = [labelsOf('gone'), labelsOf('mute')];
    for (const [labels, backend] of [
      [gone, pathToFileURL(path.join(state, 'never-made')).href],
      [mute, 'postgres://nobody@127.0.0.1:1/none'],
    ] as const) {
      await leaveLease(labels, { backend });
      await leaveVolume(labels);
    }
    const stderr = await gc();
    expect(stderr).toContain(`${gone.stack}: its state is gone with its whole backend`);
    expect(stderr).toMatch(new RegExp(`✖ ${mute.stack}: .*removed by its labels; its state stays`));
    expect(await volumes()).toEqual([]);
    expect((await leases()).map(({ stack }) => stack)).toEqual([mute.stack]);
  },
);

testAlone('a state that is cut short hides no other, and is named', async () => {
  const [cut, whole] = [labelsOf('cut'), labelsOf('whole')];
  await leave(cut);
  await leave(whole);
  await truncate(stateFileOf(cut.stack));
  const stderr = await gc();
  expect(stderr).toContain(`Left alone: stack ${cut.stack}: its state can't be read: `);
  expect(stderr).toEqual(destroyed(whole));
  expect(await stacks.names()).toEqual([cut.stack]);
});

testAlone('a backend that can’t be asked hides nothing that has labels', async () => {
  const labels = labelsOf('labels');
  await leaveVolume(labels);
  await mkdir(state, { recursive: true });
  environment['PULUMI_BACKEND_URL'] = pathToFileURL(path.join(state, 'never-made')).href;
  const stderr = await gc();
  expect(stderr).toContain('Left alone: what only the backend knows of: ');
  expect(await volumes()).toEqual([]);
});

testAlone('down finds what a killed `up` has made without its state', async () => {
  const labels = labelsOf('stray', unexpired);
  await leave(labels);
  // Made at another time: of a stack of the same name in another checkout's state.
  const others = { ...labels, expiresAt: new Date(Date.now() + 2 * hourMs).toISOString() };
  const [stray, alien] = await Promise.all(
    [labels, others].map((each) =>
      docker.createContainer({ Image: imageReference('redis'), Labels: labelled(each) }),
    ),
  );
  try {
    const { exitCode, stderr } = await npmRun('rehearsal', ['down', '--stack', labels.stack], environment);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: exitCodes.leak });
    const { Name } = (await alien?.inspect()) ?? {};
    expect(stderr).toContain(`left over: container ${Name?.slice(1) ?? ''} (`);
    await expect(stray?.inspect()).rejects.toThrow('No such container');
  } finally {
    for (const container of [stray, alien])
      await container?.remove({ force: true, v: true }).catch(() => undefined);
  }
});

testAlone('what nobody reads any more ends no command', async () => {
  const bootstrap = path.join(checkout, 'engine', 'bootstrap.mjs');
  const gc = spawn(process.execPath, [bootstrap, 'gc', '--dry-run'], {
    cwd: checkout,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // As when a terminal is closed.
  gc.stderr.destroy();
  expect(await once(gc, 'exit')).toEqual([exitCodes.go, null]);
});

testAlone('a machine without a browser can collect: no suite runs', async () => {
  // Nothing but the CLI, so that no browser is found, nor what would install one.
  const PATH = path.dirname(engine.pulumi);
  const bootstrap = path.join(checkout, 'engine', 'bootstrap.mjs');
  const { exitCode, stderr } = await execa(process.execPath, [bootstrap, 'gc', '--dry-run'], {
    cwd: checkout,
    env: { ...environment, PATH, DOCKER_HOST: engine.dockerHost },
    stdin: 'ignore',
    reject: false,
  });
  expect({ exitCode, stderr }).toMatchObject({ exitCode: exitCodes.go });
  expect(stderr).not.toContain('browser');
});
