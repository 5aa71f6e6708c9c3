import { PassThrough } from 'node:stream';
import { expect, test } from '@jest/globals';
import type Docker from 'dockerode';
import { waitForService } from '../../components/readiness.js';

/** An engine whose one container has these states, one at each look, the last from then on. */
function engineWith(states: object[]): Docker {
  const left = [...states];
  const container = {
    inspect: () => Promise.resolve({ State: left.length > 1 ? left.shift() : left[0], Config: { Env: [] } }),
    exec: () => new Promise(() => undefined),
    logs: () => Promise.resolve(Buffer.alloc(0)),
  };
  const docker = { getContainer: () => container, getEvents: () => Promise.resolve(new PassThrough()) };
  return docker as unknown as Docker;
}

const killed = { Status: 'exited', ExitCode: 137, OOMKilled: false };

test.each([
  [
    'an OOM kill of which the engine hears after the end is one',
    [killed, killed, { ...killed, OOMKilled: true }],
    /OOM-killed/,
  ],
  ['a kill that nobody explains is none', [killed], /exited with code 137/],
])('%s', async (_, states, message) => {
  const waiting = waitForService({
    docker: engineWith(states),
    containerId: 'abc',
    service: 'shop',
    readiness: { kind: 'exec', command: ['true'] },
    deadlineSeconds: 60,
    secretVariables: [],
    reach: (port) => Promise.resolve(port),
  });
  await expect(waiting).rejects.toThrow(message);
});
