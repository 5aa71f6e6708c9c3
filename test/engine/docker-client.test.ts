import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { connectDocker, elsewhere } from '../../engine/docker.js';
import { checkout } from '../../engine/state.js';
import { temporaryFolder } from '../helpers/temporary.js';

let engine: Server;
let address: string;

/** Answers a ping, and nothing else ever. */
beforeEach(async () => {
  const socket = path.join(temporaryFolder('docker client ü 100%20'), 'engine.sock');
  address = `unix://${socket}`;
  engine = createServer((request, response) => {
    if (request.url?.endsWith('/_ping') === true) response.end('OK');
  });
  engine.listen(socket);
  await once(engine, 'listening');
});

afterEach(() => {
  engine.closeAllConnections();
  engine.close();
});

test.each(['tcp://127.0.0.1:1', 'ssh://nobody@127.0.0.1:1'])(
  'a socket is asked whatever DOCKER_HOST says: %s',
  async (dockerHost) => {
    const before = process.env['DOCKER_HOST'];
    process.env['DOCKER_HOST'] = dockerHost;
    try {
      expect(String(await connectDocker(address).ping())).toBe('OK');
    } finally {
      if (before === undefined) delete process.env['DOCKER_HOST'];
      else process.env['DOCKER_HOST'] = before;
    }
  },
);

test('an engine that never answers a provider keeps no process that has nothing else to do', async () => {
  const source = `
    import { connect } from './engine/provider/config.ts';
    const work = setInterval(() => undefined, 1000);
    const docker = await connect({ host: '${address}' });
    // More than Node thinks right of listeners that one connection gathers.
    for (let asked = 0; asked < 20; asked += 1) await docker.ping();
    docker.version().finally(() => console.log('answered'));
    console.log('asked');
    clearInterval(work);`;
  const node = ['--import', 'tsx', '--input-type=module', '--eval', source];
  const { all, timedOut } = await execa('node', node, {
    cwd: checkout,
    timeout: 30_000,
    reject: false,
    all: true,
  });
  expect({ all, timedOut }).toEqual({ all: 'asked', timedOut: false });
});

const ownAddress = Object.values(networkInterfaces()).flat()[0]?.address;

test.each([
  ['unix:///var/run/docker.sock', true],
  ['tcp://127.0.0.1:2375', true],
  ['tcp://LOCALHOST:2375', true],
  ['tcp://127.0.1.1:2375', true],
  ['localhost:2375', true],
  ['http://localhost:2375', true],
  [`tcp://${ownAddress ?? ''}:2375`, true],
  ['ssh://me@127.0.0.1', true],
  ['tcp://192.0.2.7:2375', false],
  ['tcp://docker:2375', false],
  ['ssh://me@build-host', false],
  ['tcp://[2001:db8::1]:2375', false],
])('whether an engine at %s is of this machine: %s', (dockerHost, here) => {
  const problem = elsewhere(dockerHost);
  if (here) expect(problem).toBeUndefined();
  else expect(problem).toContain(`${dockerHost} is on another machine`);
});
