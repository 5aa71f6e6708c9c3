import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { reasonOfFetch } from '../critical/support/failed-fetch.js';

/** Why a request fails to a server that answers it so. */
async function reasonWhen(answer: (socket: Socket) => void, signal?: AbortSignal): Promise<string> {
  const server = createServer((socket) =>
    socket.once('data', () => {
      answer(socket);
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await fetch(`http://127.0.0.1:${String(port)}/`, signal === undefined ? {} : { signal });
    return 'it did not fail';
  } catch (error) {
    return reasonOfFetch(error);
  } finally {
    server.close();
  }
}

test('a failed fetch says that the other side closed, broke off or did not answer', async () => {
  expect(await reasonWhen((socket) => socket.destroy())).toBe('other side closed');
  expect(await reasonWhen((socket) => socket.resetAndDestroy())).toBe('read ECONNRESET');
  const silent: Socket[] = [];
  expect(await reasonWhen((socket) => silent.push(socket), AbortSignal.timeout(50))).toMatch(/timeout/);
  for (const socket of silent) socket.destroy();
});
