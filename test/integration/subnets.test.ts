import path from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { checkout } from '../../engine/state.js';

const docker = connectDocker(resolveDockerHost());
const label = `rehearsal-subnets-test-${String(process.pid)}`;
const mine = () => docker.listNetworks({ filters: { label: [label] } });

afterEach(async () => {
  for (const { Id } of await mine()) await docker.getNetwork(Id).remove();
}, 120_000);

test('40 networks are there at once, made by four processes that began together', async () => {
  const program = path.join('test', 'fixtures', 'networks.ts');
  const makers = await Promise.all(
    Array.from({ length: 4 }, () =>
      execa(process.execPath, ['--import', 'tsx', program, label, '10'], { cwd: checkout }),
    ),
  );
  const subnets = makers.flatMap(({ stdout }) => JSON.parse(stdout) as string[]);
  const networks = await mine();
  expect(networks).toHaveLength(40);
  expect(networks.flatMap(({ IPAM }) => IPAM?.Config?.map(({ Subnet }) => Subnet)).sort()).toEqual(
    [...subnets].sort(),
  );
  expect(new Set(subnets).size).toBe(40);
}, 120_000);
