import { existsSync, mkdtempSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { dockerHostOfTunnel, folderOf } from '../../../engine/ssh/target.js';
import { enterHost, leaveHost } from '../../../runners/hosts/users.js';
import { removeLease, writeLease } from '../../../runners/leases.js';
import { thisProcess } from '../../../runners/owner.js';
import { leaseOf } from '../support/leases.js';

const target = { address: 'box', port: 22, user: 'ci', hostKey: 'ssh-ed25519 AAAA' };
const cacheBefore = process.env['REHEARSAL_CACHE'];
const cache = mkdtempSync(path.join(tmpdir(), 'users-'));
let folder: string;

beforeEach(async () => {
  process.env['REHEARSAL_CACHE'] = cache;
  folder = folderOf(target);
  await rm(folder, { recursive: true, force: true });
  await enterHost(target);
});

afterAll(async () => {
  if (cacheBefore === undefined) delete process.env['REHEARSAL_CACHE'];
  else process.env['REHEARSAL_CACHE'] = cacheBefore;
  await rm(cache, { recursive: true });
});

/** There is no connection: the folder stands for it, and goes with it. */
const stands = (): boolean => existsSync(folder);
const mark = (owner: object): Promise<void> =>
  writeFile(path.join(folder, 'users', 'other.json'), JSON.stringify(owner));

test('the last one who leaves a host ends the connection', async () => {
  expect(stands()).toBe(true);
  await leaveHost(folder);
  expect(stands()).toBe(false);
});

test('somebody who lives keeps it', async () => {
  await mark(thisProcess());
  await leaveHost(folder);
  expect(stands()).toBe(true);
});

test('nobody who is dead does, nor a mark that nobody can read', async () => {
  await mark({ ...thisProcess(), startedAt: '1' });
  await writeFile(path.join(folder, 'users', 'half.json'), '{');
  await leaveHost(folder);
  expect(stands()).toBe(false);
});

test('a stack with a lease keeps it, a stack on another host does not', async () => {
  const lease = { ...leaseOf('main-abc-chat'), dockerHost: dockerHostOfTunnel(folder) };
  await writeLease(lease);
  await leaveHost(folder);
  expect(stands()).toBe(true);
  await writeLease({ ...lease, dockerHost: 'unix:///var/run/docker.sock' });
  await leaveHost(folder);
  expect(stands()).toBe(false);
  await removeLease(lease);
});

test('what nobody ever entered is left without a word', async () => {
  await rm(folder, { recursive: true });
  await mkdir(path.dirname(folder), { recursive: true });
  await leaveHost(folder);
  expect(stands()).toBe(false);
});
