import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { setUp, type EngineEnvironment } from '../../engine/setup.js';
import { checkout } from '../../engine/state.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { readLeases, removeLease, writeLease, type Lease } from '../../runners/leases.js';
import { standingStacks, type StandingStacks } from '../../runners/stack.js';
import type { StackLabels } from '../../runners/stack-state.js';
import { npmRun } from '../helpers/cli.js';
import { silentProgress } from '../helpers/progress.js';
import { leaseOf } from '../runners/support/leases.js';
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

beforeEach(async () => {
  state = await mkdtemp(path.join(tmpdir(), 'rehearsal-gc-test-'));
  prefix = path.basename(state).toLowerCase();
  environment = { PULUMI_BACKEND_URL: pathToFileURL(state).href, PULUMI_CONFIG_PASSPHRASE: '' };
  engine = await setUp({ progress: silentProgress, images: false });
  stacks = standingStacks({ ...engine, env: { ...engine.env, ...environment } }, checkout);
}, timeoutMs);

afterEach(async () => {
  for (const lease of await leases()) await removeLease(lease);
  for (const name of await volumes()) await docker.getVolume(name).remove();
  await rm(state, { recursive: true, force: true });
});

const gc = (...args: string[]) => npmRun('rehearsal', ['gc', ...args], environment);
const labelsOf = (name: string, expiresAt = expired): StackLabels => {
  const stack = `${prefix}-${name}`;
  return { stack, run: stack, suite: 'none', expiresAt: expiresAt ?? '' };
};
const leave = (labels: StackLabels, project?: string): Promise<void> =>
  leaveState(engine.pulumi, { ...process.env, ...engine.env, ...environment }, labels, project);
const leaveVolume = (labels: StackLabels) =>
  docker.createVolume({ Name: `${labels.stack}-data`, Labels: labelled(labels) });

async function leases(): Promise<Lease[]> {
  return (await readLeases()).leases.filter(({ stack }) => stack.startsWith(prefix));
}
async function volumes(): Promise<string[]> {
  const { Volumes } = await docker.listVolumes();
  return Volumes.map(({ Name }) => Name)
    .filter((name) => name.startsWith(prefix))
    .sort();
}

test(
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
    expect(dry.exitCode).toBe(exitCodes.go);
    for (const { stack } of [both, onlyState, onlyLabels]) {
      expect(dry.stderr).toContain(`Would destroy ${stack}: it was to live until ${expired ?? ''}`);
    }
    expect(dry.stderr).toContain(`Left alone: ${prolonged.stack}: it was prolonged until ${unexpired ?? ''}`);
    for (const { stack } of [lives, alien]) expect(dry.stderr).not.toContain(stack);
    expect(await stacks.names()).toEqual(namesBefore);
    expect(await volumes()).toEqual(volumesBefore);

    const real = await gc();
    expect({ exitCode: real.exitCode, stderr: real.stderr }).toMatchObject({ exitCode: exitCodes.go });
    expect((await stacks.names()).sort()).toEqual([lives.stack, prolonged.stack]);
    expect(await volumes()).toEqual([`${lives.stack}-data`, `${prolonged.stack}-data`]);
  },
  timeoutMs,
);

test(
  'what can’t be read is named and left alone, and what a lease answers for is judged by that alone',
  async () => {
    const odd = labelsOf('odd', 'next week');
    const answered = labelsOf('answered');
    await leave(odd);
    await leave(answered);
    await leaveVolume(answered);
    const backend = environment['PULUMI_BACKEND_URL'] ?? '';
    await writeLease(leaseOf(answered.stack, { backend, standing: true, expiresAt: unexpired ?? '' }));
    const { exitCode, stderr } = await gc();
    expect(exitCode).toBe(exitCodes.go);
    expect(stderr).toContain(`Left alone: stack ${odd.stack}: its state has the expiry "next week", no time`);
    expect(stderr).not.toContain(answered.stack);
    expect((await stacks.names()).sort()).toEqual([answered.stack, odd.stack]);
    expect(await volumes()).toHaveLength(1);
    expect(await leases()).toHaveLength(1);
  },
  timeoutMs,
);

test(
  'a stack whose backend is gone is removed by its labels, and its lease given back; one whose backend does not answer keeps its lease',
  async () => {
    const [gone, mute] = [labelsOf('gone'), labelsOf('mute')];
    const madeAt = new Date(Date.now() - 2 * hourMs).toISOString();
    for (const [labels, backend] of [
      [gone, pathToFileURL(path.join(state, 'never-made')).href],
      [mute, 'postgres://nobody@127.0.0.1:1/none'],
    ] as const) {
      const { run: runId, suite, stack } = labels;
      const terms = { runId, suite, backend, dockerHost: engine.dockerHost };
      const lease = leaseOf(stack, { ...terms, standing: true, madeAt, expiresAt: expired ?? '' });
      await writeLease({ ...lease, owner: { ...lease.owner, bootId: 'an earlier boot' } });
      await leaveVolume(labels);
    }
    const { exitCode, stderr } = await gc();
    expect(stderr).toContain(`${gone.stack}: its state is gone with its whole backend`);
    expect(stderr).toMatch(new RegExp(`✖ ${mute.stack}: .*removed by its labels; its state stays`));
    expect(exitCode).toBe(exitCodes.leak);
    expect(await volumes()).toEqual([]);
    expect((await leases()).map(({ stack }) => stack)).toEqual([mute.stack]);
  },
  timeoutMs,
);

test(
  'a backend that can’t be asked hides nothing that has labels',
  async () => {
    const labels = labelsOf('labels');
    await leaveVolume(labels);
    await mkdir(state, { recursive: true });
    environment['PULUMI_BACKEND_URL'] = pathToFileURL(path.join(state, 'never-made')).href;
    const { stderr } = await gc();
    expect(stderr).toContain('Left alone: what only the backend knows of: ');
    expect(await volumes()).toEqual([]);
  },
  timeoutMs,
);
