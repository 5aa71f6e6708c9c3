import { type IncomingMessage, type Server } from 'node:http';
import { type Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { openConnection, type ConnectionDependencies } from './connection.js';

const pingIntervalMs = 30_000;
const maxFrameBytes = 64 * 1024;

/** Serves `/ws` on the HTTP server and drops connections whose other end is gone. */
export function serveWebSockets(server: Server, dependencies: ConnectionDependencies): { close(): void } {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxFrameBytes });
  const answered = new WeakSet<WebSocket>();

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (new URL(request.url ?? '/', 'http://localhost').pathname !== '/ws') {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      answered.add(webSocket);
      webSocket.on('pong', () => answered.add(webSocket));
      openConnection(webSocket, dependencies);
    });
  });

  const timer = setInterval(() => {
    for (const webSocket of sockets.clients) {
      if (!answered.delete(webSocket)) webSocket.terminate();
      else webSocket.ping();
    }
  }, pingIntervalMs);

  return {
    close() {
      clearInterval(timer);
      for (const webSocket of sockets.clients) webSocket.close(1001, 'server_stopping');
    },
  };
}
