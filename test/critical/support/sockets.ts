import { Worker } from 'node:worker_threads';
import { afterAll } from '@jest/globals';
import { deadlines } from './deadlines.js';

export interface Closure {
  code: number;
  reason: string;
  /** This machine's clock, milliseconds since the epoch. */
  atMs: number;
}

export interface SocketHandlers {
  onOpen(): void;
  /** @param receivedAt this machine's clock when the frame arrived, milliseconds since the epoch, with fractions. */
  onFrame(text: string, receivedAt: number): void;
  onPong(): void;
  onError(message: string): void;
  onClosed(closure: Closure): void;
}

export interface Socket {
  send(data: string | Uint8Array): void;
  ping(): void;
  close(): void;
}

/** A time in which the thread stood still, by this machine's clock, milliseconds since the epoch, with fractions. */
interface Stall {
  from: number;
  to: number;
}

type FromThread =
  | ({ type: 'stall' } & Stall)
  | ({ id: number } & (
      | { type: 'open' | 'pong' }
      | { type: 'frame'; text: string; receivedAt: number }
      | { type: 'error'; message: string }
      | ({ type: 'closed' } & Closure)
    ));

const thread = new Worker(new URL('socket-thread.mjs', import.meta.url));
const handlersOf = new Map<number, SocketHandlers>();
const stalls: Stall[] = [];
let lastId = 0;

afterAll(async () => {
  await thread.terminate();
});

thread.on('message', (message: FromThread) => {
  if (message.type === 'stall') {
    stalls.push(message);
    return;
  }
  const handlers = handlersOf.get(message.id);
  if (handlers === undefined) return;
  switch (message.type) {
    case 'open':
      handlers.onOpen();
      break;
    case 'frame':
      handlers.onFrame(message.text, message.receivedAt);
      break;
    case 'pong':
      handlers.onPong();
      break;
    case 'error':
      handlers.onError(message.message);
      break;
    case 'closed': {
      const { code, reason, atMs } = message;
      handlersOf.delete(message.id);
      handlers.onClosed({ code, reason, atMs });
    }
  }
});

/** A WebSocket that lives on a thread of its own; what happens to it is told in order. */
export function openSocket(url: string, handlers: SocketHandlers): Socket {
  lastId += 1;
  const id = lastId;
  handlersOf.set(id, handlers);
  thread.postMessage({ type: 'open', id, url, handshakeTimeout: deadlines.replyMs });
  return {
    send(data) {
      thread.postMessage({ type: 'send', id, data });
    },
    ping() {
      thread.postMessage({ type: 'ping', id });
    },
    close() {
      thread.postMessage({ type: 'close', id });
    },
  };
}

/** How much of a time, both ends by this machine's clock, the thread has stood still, in milliseconds. */
export function stalledMs(from: number, to: number): number {
  return stalls
    .map((stall) => Math.max(0, Math.min(to, stall.to) - Math.max(from, stall.from)))
    .reduce((sum, ms) => sum + ms, 0);
}
