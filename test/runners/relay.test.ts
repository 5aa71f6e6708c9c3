import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from '@jest/globals';
import { relayTo, type Relay } from '../../runners/relay.js';

const open: { destroy?: () => unknown; close?: () => unknown }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) (one.destroy ?? one.close)?.call(one);
});

function call({ address }: Relay): Socket {
  const [host = '', port] = address.split(':');
  const caller = connect(Number(port), host);
  open.push(caller);
  return caller;
}

/** Says everything back, in capitals. @returns its address. */
async function echo(): Promise<string> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let said = '';
    socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
    socket.once('end', () => socket.end(said.toUpperCase()));
  }).listen(0, '127.0.0.1');
  open.push(server);
  await once(server, 'listening');
  return `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

test('a call waits until it is known to whom, and nothing said before is lost', async () => {
  let know: (address: string) => void = () => undefined;
  const relay = await relayTo(new Promise((resolve) => (know = resolve)));
  open.push(relay);
  const early = call(relay);
  early.end('said early');
  await once(early, 'connect');
  know(await echo());
  expect(await text(early)).toBe('SAID EARLY');
  expect(await text(call(relay).end('said late'))).toBe('SAID LATE');
});

test('nobody waits for one who never comes', async () => {
  let give: (error: Error) => void = () => undefined;
  const relay = await relayTo(new Promise((_, reject) => (give = reject)));
  open.push(relay);
  const caller = call(relay);
  await once(caller, 'connect');
  give(new Error('gone'));
  expect(await text(caller)).toBe('');
});

test('who hangs up while he waits harms nobody, and a closed relay takes no calls', async () => {
  let know: (address: string) => void = () => undefined;
  const relay = await relayTo(new Promise((resolve) => (know = resolve)));
  const gone = call(relay);
  await once(gone, 'connect');
  gone.resetAndDestroy();
  await once(gone, 'close');
  know(await echo());
  expect(await text(call(relay).end('still here'))).toBe('STILL HERE');
  relay.close();
  const [error] = (await once(call(relay), 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
});
