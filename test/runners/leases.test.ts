import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { uptime } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { readLeases, removeLease, settleLease, writeLease, type Lease } from '../../runners/leases.js';
import { thisProcess } from '../../runners/owner.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { leaseOf } from './support/leases.js';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder('leases');
});

/** Overwrites the one lease in the folder. */
async function spoil(change: (text: string) => string): Promise<void> {
  const [name = ''] = await readdir(folder);
  const file = path.join(folder, name);
  await writeFile(file, change(await readFile(file, 'utf8')));
}

const future = { madeAt: '2999-01-01T00:00:00.000Z' };
const rebooted = { ...thisProcess(), bootId: 'another boot' };

const withLease = (change: Partial<Lease>) => (text: string) => {
  const { version, lease } = JSON.parse(text) as { version: number; lease: Lease };
  return JSON.stringify({ version, lease: { ...lease, ...change } });
};

describe('leases', () => {
  test('are read as they were written, until they are given back', async () => {
    const [one, two] = [leaseOf('one'), leaseOf('two')];
    await writeLease(one, folder);
    await writeLease(two, folder);
    expect(await readLeases(folder)).toEqual({ leases: [one, two], unreadable: [] });
    await removeLease(one, folder);
    expect((await readLeases(folder)).leases).toEqual([two]);
  });

  test('of one name in two backends are two', async () => {
    await writeLease(leaseOf('one'), folder);
    await writeLease(leaseOf('one', { backend: 'file:///elsewhere' }), folder);
    expect((await readLeases(folder)).leases).toHaveLength(2);
  });

  test('show by the names of their files whose they are, when nothing else can be read', async () => {
    await writeLease(leaseOf('one.0123abcd'), folder);
    const [name = ''] = await readdir(folder);
    await writeFile(path.join(folder, name), '{');
    expect((await readLeases(folder)).unreadable).toMatchObject([{ stack: 'one.0123abcd' }]);
  });

  test('are for their user alone: a backend may have a password in its address', async () => {
    await writeLease(leaseOf('one'), folder);
    const [name = ''] = await readdir(folder);
    expect((await stat(path.join(folder, name))).mode & 0o777).toBe(0o600);
  });

  test.each<[string, (text: string) => string, RegExp]>([
    ['was cut short', (text) => text.slice(0, 100), /cut short/],
    ['is empty', () => '', /cut short/],
    ['is of another version', (text) => text.replace('"version":1', '"version":2'), /version/],
    ['lacks its owner', withLease({ owner: undefined as never }), /owner/],
    ['has an expiry that is no time', withLease({ expiresAt: 'tomorrow' }), /expiresAt/],
    ['is from the future', withLease({ ...future, owner: rebooted }), /in the future/],
    ['is from the future of this very boot', withLease({ madeAtUptimeS: uptime() + 1_000 }), /in the future/],
    ['of a standing stack is from the future', withLease({ ...future, standing: true }), /in the future/],
    ['is another stack’s', withLease({ stack: 'two' }), /of the stack two/],
  ])('aren’t concluded from when a file %s', async (_, change, reason) => {
    await writeLease(leaseOf('one'), folder);
    await spoil(change);
    const { leases, unreadable } = await readLeases(folder);
    expect(leases).toEqual([]);
    expect(unreadable).toEqual([
      { file: expect.stringContaining('one.'), stack: 'one', reason: expect.stringMatching(reason) },
    ]);
  });
});

test('a runner’s lease stays one when somebody sets the clock back: nobody sets the one that counts from the boot', async () => {
  const lease = leaseOf('one', future);
  await writeLease(lease, folder);
  expect(await readLeases(folder)).toEqual({ leases: [lease], unreadable: [] });
});

describe('settling a lease', () => {
  test('is done by one of those who meet at it', async () => {
    const lease = leaseOf('one');
    await writeLease(lease, folder);
    let times = 0;
    const work = async (): Promise<void> => {
      times += 1;
      await Promise.resolve();
    };
    await Promise.all([settleLease(lease, work, folder), settleLease(lease, work, folder)]);
    expect(times).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });

  test('leaves it when the work fails', async () => {
    const lease = leaseOf('one');
    await writeLease(lease, folder);
    await expect(settleLease(lease, () => Promise.reject(new Error('no')), folder)).rejects.toThrow('no');
    expect((await readLeases(folder)).leases).toEqual([lease]);
  });

  test('leaves a stack alone that was prolonged meanwhile', async () => {
    const lease = leaseOf('one', { standing: true });
    await writeLease({ ...lease, expiresAt: '2998-01-01T00:00:00.000Z' }, folder);
    await settleLease(lease, () => Promise.reject(new Error('must not run')), folder);
    expect((await readLeases(folder)).leases).toHaveLength(1);
  });
});
