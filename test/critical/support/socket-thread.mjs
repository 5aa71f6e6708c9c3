import { performance } from 'node:perf_hooks';
import { parentPort } from 'node:worker_threads';
import WebSocket from 'ws';

/**
 * Holds the suite's WebSockets. The time of a frame's arrival is taken here, where nothing else is going on:
 * on the suite's own thread it would wait for whatever the suite is busy with.
 */
const sockets = new Map();

function open(id, url, handshakeTimeout) {
  const socket = new WebSocket(url, { handshakeTimeout, perMessageDeflate: false });
  sockets.set(id, socket);
  const tell = (event) => parentPort.postMessage({ id, ...event });
  socket.on('message', (data, isBinary) => {
    const receivedAt = performance.timeOrigin + performance.now();
    tell({ type: 'frame', text: isBinary ? '(binary)' : data.toString(), receivedAt });
  });
  socket.on('open', () => tell({ type: 'open' }));
  socket.on('pong', () => tell({ type: 'pong' }));
  socket.on('error', ({ message }) => tell({ type: 'error', message }));
  socket.on('close', (code, reason) => {
    sockets.delete(id);
    tell({ type: 'closed', code, reason: reason.toString(), atMs: Date.now() });
  });
}

parentPort.on('message', ({ type, id, ...rest }) => {
  if (type === 'open') open(id, rest.url, rest.handshakeTimeout);
  // A socket that the server has closed in the meantime: its `closed` is on its way.
  else if (type === 'send') sockets.get(id)?.send(rest.data);
  else if (type === 'ping') sockets.get(id)?.ping();
  else if (type === 'close') sockets.get(id)?.close();
});
