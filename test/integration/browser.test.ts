import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from '@jest/globals';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { checkout } from '../../engine/state.js';
import { launchBrowser, openPage } from '../critical/support/browser.js';

const networkChanges = 3;

test('a page of a suite keeps a request while Docker makes and removes networks of other environments', async () => {
  const docker = connectDocker(resolveDockerHost());
  const server = fork(`${checkout}/test/fixtures/reluctant-server.mjs`);
  const [port] = (await once(server, 'message')) as [number];
  const browser = await launchBrowser();
  // They take the places that the kernel keeps for a server that doesn't answer.
  const others = [0, 1].map(() => connect(port, '127.0.0.1'));
  try {
    server.kill('SIGSTOP');
    await Promise.all(others.map((socket) => once(socket, 'connect')));
    const page = await openPage(browser);
    const asked = page.waitForEvent('request');
    const answer = page.goto(`http://127.0.0.1:${String(port)}/`);
    // Looked at later; until then it is nobody's.
    answer.catch(() => undefined);
    await asked;
    for (let change = 0; change < networkChanges; change += 1) {
      const network = await docker.createNetwork({ Name: `browser-test-${String(process.pid)}` });
      await network.remove();
    }
    for (const socket of others) socket.destroy();
    server.kill('SIGCONT');
    expect(await (await answer)?.text()).toBe('served');
  } finally {
    for (const socket of others) socket.destroy();
    server.kill('SIGKILL');
    await browser.close();
  }
}, 60_000);
