import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { readLeases, removeLease, underLease, writeLease, type Lease } from '../../runners/leases.js';
import { isProvablyDead, thisProcess } from '../../runners/owner.js';
import type { StackLabels } from '../../runners/stack-state.js';
import { tenureOf, type Tenure, type TenureRequest } from '../../runners/tenure.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { leaseOf } from './support/leases.js';

const hourMs = 3_600_000;
const inHours = (hours: number): string => new Date(Date.now() + hours * hourMs).toISOString();
const backend = 'file:///state';
const dockerHost = 'unix:///var/run/docker.sock';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder('leases');
});

interface Setup extends Partial<TenureRequest> {
  /** In the state; undefined for a stack that isn't there. */
  labels?: Partial<StackLabels>;
  extension?: string;
  runningMb?: number;
}

/** What was asked for, and how often the state was prolonged. */
async function tenure({ labels, extension, runningMb, ...request }: Setup = {}) {
  const extended: string[] = [];
  const found = { stack: 'dev', run: 'dev', suite: 'none', expiresAt: inHours(1), ...labels };
  const stacks = {
    names: () => Promise.resolve(labels === undefined ? ['other'] : ['other', 'dev']),
    labelsOf: () => Promise.resolve(found),
    extensionOf: () => Promise.resolve(extension),
    extend: (_stack: string, until: string) => {
      extended.push(until);
      return Promise.resolve();
    },
  };
  const running = new Map(runningMb === undefined ? [] : [['dev', runningMb]]);
  const engine = { limitsByStack: () => Promise.resolve(running) };
  const wanted: TenureRequest = {
    ...{ stack: 'dev', ttlMinutes: 240, chosenTtlMinutes: undefined, memoryMb: 1712, dockerHost },
    env: { PULUMI_BACKEND_URL: backend, PULUMI_CONFIG_PASSPHRASE_FILE: '/passphrase' },
    ...{ region: undefined, obstacle: undefined },
    ...request,
  };
  return { ...(await tenureOf(wanted, { stacks, engine, folder })), extended };
}

const standing = (changes: Partial<Lease> = {}): Lease =>
  leaseOf('dev', { runId: 'dev', suite: 'none', standing: true, ...changes });
const written = async (): Promise<Lease[]> => (await readLeases(folder)).leases;
/** How far from now a tenure ends, in whole minutes. */
const minutesOf = ({ lease }: Tenure): number =>
  Math.round((Date.parse(lease.expiresAt) - Date.now()) / 60_000);

describe('a stack that isn’t there', () => {
  test('lives from now on, under a lease that is yet to be written', async () => {
    const { lease, isThere, isOfRun } = await tenure();
    expect({ isThere, isOfRun }).toEqual({ isThere: false, isOfRun: false });
    expect(lease).toMatchObject({
      ...{ stack: 'dev', runId: 'dev', suite: 'none', memoryMb: 1712, dockerHost, backend, standing: true },
      ...{ passphraseFile: '/passphrase', owner: thisProcess() },
    });
    expect(minutesOf({ lease, isThere, isOfRun })).toBe(240);
    expect(await written()).toEqual([]);
  });

  test('isn’t begun when there is an obstacle', async () => {
    await expect(tenure({ obstacle: new Error('the host is too small') })).rejects.toThrow('too small');
  });

  test('can’t have the name of one with its state elsewhere, on the same engine', async () => {
    await writeLease(standing({ backend: 's3://user:password@elsewhere', expiresAt: inHours(1) }), folder);
    const refused = await tenure().catch((error: unknown) => String(error));
    expect(refused).toContain('--stack dev: the Docker Engine has a stack of this name already');
    expect(refused).not.toContain('password');
    expect(minutesOf(await tenure({ dockerHost: 'ssh://another' }))).toBe(240);
  });
});

describe('a stack that is up', () => {
  test('keeps its time when nobody says anything, whatever the settings say', async () => {
    const first = inHours(1);
    const { lease, isThere, extended } = await tenure({ labels: { expiresAt: first }, ttlMinutes: 600 });
    expect(isThere).toBe(true);
    expect(lease.expiresAt).toBe(first);
    expect(extended).toEqual([]);
    expect(await written()).toEqual([lease]);
  });

  test('is prolonged in its lease and in its state', async () => {
    await writeLease(
      standing({ expiresAt: inHours(1), owner: { ...thisProcess(), startedAt: '1' } }),
      folder,
    );
    const found = await tenure({ labels: {}, chosenTtlMinutes: 600 });
    expect(minutesOf(found)).toBe(600);
    expect(found.extended).toEqual([found.lease.expiresAt]);
    const [lease] = await written();
    expect(lease).toEqual(found.lease);
    expect(isProvablyDead(lease?.owner ?? thisProcess())).toBe(false);
  });

  test.each<[string, Setup & { leaseHours?: number }]>([
    ['its label', { labels: { expiresAt: inHours(5) } }],
    ['its state', { labels: {}, extension: inHours(5) }],
    ['its lease', { labels: {}, leaseHours: 5 }],
  ])('isn’t cut short: %s says more', async (_, { leaseHours, ...setup }) => {
    if (leaseHours !== undefined) await writeLease(standing({ expiresAt: inHours(leaseHours) }), folder);
    expect(minutesOf(await tenure({ ...setup, chosenTtlMinutes: 60 }))).toBe(300);
    expect(minutesOf(await tenure(setup))).toBe(300);
  });

  test('whose time is over is refused, unless it is prolonged', async () => {
    const labels = { expiresAt: inHours(-1) };
    await expect(tenure({ labels })).rejects.toThrow(
      `--stack dev: it was to live until ${labels.expiresAt}, so that anybody may collect it: prolong it with --ttl`,
    );
    expect(await written()).toEqual([]);
    expect(minutesOf(await tenure({ labels, chosenTtlMinutes: 60 }))).toBe(60);
  });

  test('counts with what its lease says, else with what runs, until it is settled', async () => {
    expect((await tenure({ labels: {}, memoryMb: 13_696, runningMb: 900 })).lease.memoryMb).toBe(900);
    await writeLease(standing({ memoryMb: 1712 }), folder);
    expect((await tenure({ labels: {}, memoryMb: 13_696, runningMb: 900 })).lease.memoryMb).toBe(1712);
  });

  test('isn’t looked at while somebody collects it', async () => {
    const lease = standing();
    await writeLease(lease, folder);
    let collected = false;
    // In an object: a promise that `underLease` returns it would wait for.
    const { looking } = await underLease(
      lease,
      async () => {
        const looking = tenure().then(({ isThere }) => ({ collected, isThere }));
        // Who doesn't wait looks now.
        await sleep(300);
        await removeLease(lease, folder);
        collected = true;
        return { looking };
      },
      folder,
    );
    expect(await looking).toEqual({ collected: true, isThere: false });
  });
});

describe('a stack whose `up` failed before it had labels', () => {
  test('keeps the time of its lease', async () => {
    const lease = standing({ expiresAt: inHours(2) });
    await writeLease(lease, folder);
    expect(minutesOf(await tenure())).toBe(120);
    expect(minutesOf(await tenure({ chosenTtlMinutes: 240 }))).toBe(240);
  });
});

describe('a stack of a run', () => {
  const labels = { run: 'tabc123xyz', suite: 'chat' };
  const kept = (changes: Partial<Lease> = {}): Lease => leaseOf('dev', { standing: true, ...changes });

  test('that was kept can be prolonged, also where nothing new can be brought up', async () => {
    const found = await tenure({
      labels,
      chosenTtlMinutes: 240,
      obstacle: new Error('the host is too small'),
    });
    expect(found).toMatchObject({
      isOfRun: true,
      lease: { runId: 'tabc123xyz', suite: 'chat', standing: true },
    });
    expect(minutesOf(found)).toBe(240);
    expect(found.extended).toEqual([found.lease.expiresAt]);
  });

  test('that was kept can’t be brought up to date', async () => {
    await expect(tenure({ labels })).rejects.toThrow('--stack dev: a run made it');
  });

  test('is known by its lease when it never had labels', async () => {
    await writeLease(kept(), folder);
    await expect(tenure()).rejects.toThrow('--stack dev: a run made it');
    expect(await tenure({ chosenTtlMinutes: 240 })).toMatchObject({ isOfRun: true });
  });

  test('is the run’s alone before it is kept', async () => {
    await writeLease(kept({ standing: false }), folder);
    await expect(tenure({ labels, chosenTtlMinutes: 240 })).rejects.toThrow('its run is still at work on it');
    expect(await written()).toMatchObject([{ standing: false }]);
  });
});

test('a lease that can’t be read is in the way of everything', async () => {
  const lease = standing();
  await writeLease(lease, folder);
  await writeLease({ ...lease, expiresAt: 'soon' }, folder);
  await expect(tenure({ labels: {}, chosenTtlMinutes: 60 })).rejects.toThrow(/^lease .*dev.*expiresAt/);
});
