import { performance } from 'node:perf_hooks';
import { setInterval } from 'node:timers';
import { parentPort } from 'node:worker_threads';
import WebSocket from 'ws';

/**
 * Holds the suite's WebSockets. The time of a frame's arrival is taken here, where nothing else is going on:
 * on the suite's own thread it would wait for whatever the suite is busy with.
 */
const sockets = new Map();

const now = () => performance.timeOrigin + performance.now();
const beatMs = 10;
/** A thread that is at work never rests for this long. */
const stallMs = 30;

/** When this thread last ran. */
let aliveAt = now();

/** Tells when the thread has stood still: what arrived meanwhile, it has only seen afterwards. */
function beat() {
  const at = now();
  if (at - aliveAt >= stallMs) parentPort.postMessage({ type: 'stall', from: aliveAt, to: at });
  aliveAt = at;
  return at;
}
setInterval(beat, beatMs);

function open(id, url, handshakeTimeout) {
  const socket = new WebSocket(url, { handshakeTimeout, perMessageDeflate: false });
  sockets.set(id, socket);
  const tell = (event) => parentPort.postMessage({ id, ...event });
  socket.on('message', (data, isBinary) => {
    tell({ type: 'frame', receivedAt: beat(), text: isBinary ? '(binary)' : data.toString() });
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
