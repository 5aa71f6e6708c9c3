import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import path from 'node:path';
import { afterEach } from '@jest/globals';
import Docker from 'dockerode';
import { temporaryFolder } from '../../helpers/temporary.js';

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0)) await end();
});

/** A Docker Engine that answers as the test wants it to, until the test's end. */
export async function fakeDaemon(answer: RequestListener): Promise<Docker> {
  const socketPath = path.join(temporaryFolder('daemon'), 'docker.sock');
  const server = createServer(answer).listen(socketPath);
  await once(server, 'listening');
  endings.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return new Docker({ socketPath });
}
