import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect, test } from '@jest/globals';
import { execa } from 'execa';
import { WebSocketServer } from 'ws';
import { waitUntil } from '../../engine/wait.js';

const thread = pathToFileURL('test/critical/support/socket-thread.mjs').href;
/** Has the thread open a socket, and prints what it tells. */
const holder = `
  import { Worker } from 'node:worker_threads';
  const thread = new Worker(new URL(${JSON.stringify(thread)}), { execArgv: [] });
  thread.on('message', (message) => console.log(JSON.stringify(message)));
  thread.postMessage({ type: 'open', id: 1, url: process.argv[1], handshakeTimeout: 30000 });`;

interface Message {
  type: string;
  from: number;
  to: number;
  receivedAt: number;
}

/** Of each thread, as the kernel tells them: `T` is stopped. */
async function statesOf(pid: number): Promise<string[]> {
  const folder = `/proc/${String(pid)}/task`;
  const stats = (await readdir(folder)).map((thread) => readFile(`${folder}/${thread}/stat`, 'utf8'));
  return (await Promise.all(stats)).map((stat) => stat.slice(stat.lastIndexOf(')') + 2).charAt(0));
}

test('a suite that stood still knows it before it sees what arrived meanwhile', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const url = `ws://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const suite = execa(process.execPath, ['--input-type=module', '--eval', holder, url], { reject: false });
  try {
    const told: Message[] = [];
    createInterface(suite.stdout).on('line', (line) => told.push(JSON.parse(line) as Message));
    const [socket] = await waitUntil(
      () => Promise.resolve([...server.clients]),
      (clients) => clients.length > 0,
      { what: 'the socket', deadlineMs: 30_000, intervalMs: 5 },
    );

    suite.kill('SIGSTOP');
    await waitUntil(
      () => statesOf(suite.pid ?? 0),
      (states) => states.every((state) => state === 'T'),
      {
        what: 'all threads stand still',
        deadlineMs: 30_000,
        intervalMs: 5,
      },
    );
    const stoppedAt = Date.now();
    socket?.send('while it stands still');
    await sleep(300);
    const goesOnAt = Date.now();
    suite.kill('SIGCONT');
    await waitUntil(() => Promise.resolve(told.some(({ type }) => type === 'frame')), Boolean, {
      what: 'the frame',
      deadlineMs: 30_000,
      intervalMs: 5,
    });

    const frame = told.findIndex(({ type }) => type === 'frame');
    const stalls = told.slice(0, frame).filter(({ type }) => type === 'stall');
    const longest = stalls.toSorted((one, other) => other.to - other.from - (one.to - one.from))[0];
    // It may have been at work for a moment after the signal, and has rested before.
    expect(longest?.from).toBeLessThan(stoppedAt + 100);
    expect(longest?.to).toBeGreaterThanOrEqual(goesOnAt - 1);
    expect(told[frame]?.receivedAt).toBeGreaterThanOrEqual(longest?.to ?? Infinity);
  } finally {
    suite.kill('SIGCONT');
    suite.kill('SIGKILL');
    await suite;
    server.close();
  }
});
