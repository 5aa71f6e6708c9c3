import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { checkout } from '../../engine/state.js';
import { writeLease } from '../../runners/leases.js';
import { thisProcess } from '../../runners/owner.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { fakeDaemon } from './support/fake-daemon.js';
import { leaseOf } from './support/leases.js';

test('a janitor goes on although its log is on a full disk', async () => {
  const asked: string[] = [];
  const docker = await fakeDaemon((request, response) => {
    asked.push(decodeURIComponent(request.url ?? ''));
    const answer = request.url?.includes('/volumes') === true ? { Volumes: [] } : [];
    response.end(JSON.stringify(answer));
  });
  const { socketPath } = docker.modem as unknown as { socketPath: string };
  const dockerHost = `unix://${socketPath}`;
  const cache = temporaryFolder('janitor');
  const owner = { ...thisProcess(), startedAt: '1' };
  const suites = ['chat', 'events', 'agents'];
  for (const suite of suites) {
    await writeLease(leaseOf(`main-${suite}`, { suite, dockerHost, owner }), path.join(cache, 'leases'));
  }

  const request = { runId: 'tabc123xyz', checkout, dockerHost, pulumi: '/bin/false', folder: cache };
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, ['runners/janitor.mjs', JSON.stringify(request)], {
    cwd: checkout,
    env: { PATH: process.env['PATH'], REHEARSAL_CACHE: cache },
    stdio: ['ignore', full, full],
  });
  await once(child, 'exit');
  const looked = suites.filter((suite) => asked.some((url) => url.includes(`rehearsal.suite=${suite}`)));
  expect(looked).toEqual(suites);
}, 60_000);
