import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { checkout } from '../../engine/state.js';

const docker = connectDocker(resolveDockerHost());
const label = `rehearsal-subnets-test-${String(process.pid)}`;
const mine = () => docker.listNetworks({ filters: { label: [label] } });

let cache = '';
beforeEach(async () => {
  cache = await mkdtemp(path.join(tmpdir(), 'rehearsal-subnets-'));
});
afterEach(async () => {
  for (const { Id } of await mine()) await docker.getNetwork(Id).remove();
  await rm(cache, { recursive: true });
}, 120_000);

async function runFixture(name: string, ...args: string[]): Promise<string> {
  const program = path.join('test', 'fixtures', name);
  const options = { cwd: checkout, env: { REHEARSAL_CACHE: cache }, reject: false } as const;
  const { stdout, stderr, exitCode, signal } = await execa(
    process.execPath,
    ['--import', 'tsx', program, ...args],
    options,
  );
  if (exitCode !== 0 && signal !== 'SIGKILL') throw new Error(stderr);
  return stdout;
}

async function fourMakeTenEach(): Promise<void> {
  const makers = await Promise.all(Array.from({ length: 4 }, () => runFixture('networks.ts', label, '10')));
  const subnets = makers.flatMap((stdout) => JSON.parse(stdout) as string[]);
  const networks = await mine();
  expect(networks).toHaveLength(40);
  expect(networks.flatMap(({ IPAM }) => IPAM?.Config?.map(({ Subnet }) => Subnet)).sort()).toEqual(
    [...subnets].sort(),
  );
  expect(new Set(subnets).size).toBe(40);
}

test('40 networks are there at once, made by four processes that began together', fourMakeTenEach, 120_000);

test('the same where killed processes left their claims', async () => {
  await runFixture('claims.ts', label, '40');
  const claims = path.join(cache, 'subnets');
  const longAgo = new Date(Date.now() - 60_000);
  const left = await readdir(claims);
  expect(left).toHaveLength(40);
  for (const claim of left) await utimes(path.join(claims, claim), longAgo, longAgo);
  await fourMakeTenEach();
}, 120_000);
