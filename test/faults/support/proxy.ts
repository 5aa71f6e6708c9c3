import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { WebSocketServer } from 'ws';
import type { Endpoints } from '../../../components/outputs.js';
import { linkFrames, type FrameFault, type Link } from './frames.js';

export interface HttpRequest {
  method: string;
  /** With its query. */
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}
export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}
export type Forward = (request: HttpRequest) => Promise<HttpAnswer>;

/** Stands where the service stands: it answers a request, with or without the service's help. */
export type HttpFault = (request: HttpRequest, forward: Forward) => Promise<HttpAnswer>;

/** What is wrong with one service, as its clients see it. */
export interface ServiceFaults {
  http?: HttpFault;
  /** Of the service's WebSocket. */
  frame?: FrameFault;
}
export type Faults = Partial<Record<'auth' | 'backend' | 'llm' | 'frontend', ServiceFaults>>;

/** They belong to one connection, or are no longer true of a body that was read and may be altered. */
const notForwarded = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'host']);

const forwarded = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !notForwarded.has(name)));

function forwardTo(service: string): Forward {
  return ({ method, path, headers, body }) =>
    new Promise((resolve, reject) => {
      const outgoing = httpRequest(
        new URL(path, service),
        // A fault reads and alters text.
        { method, headers: { ...forwarded(headers), 'accept-encoding': 'identity' } },
        (incoming) => {
          buffer(incoming).then((answer) => {
            resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: answer });
          }, reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
}

function serve(service: string, { http, frame }: ServiceFaults): Server {
  const forward = forwardTo(service);
  const answerTo: Forward = http === undefined ? forward : (request) => http(request, forward);
  const server = createServer((incoming, outgoing) => {
    const { method = 'GET', url: path = '/', headers } = incoming;
    buffer(incoming)
      .then((body) => answerTo({ method, path, headers, body }))
      .then(
        ({ status, headers: answered, body }) => {
          outgoing.writeHead(status, forwarded(answered)).end(body);
        },
        // The client sees what it would see of a service that dropped the connection.
        () => outgoing.destroy(),
      );
  });
  const links = new Set<Link>();
  // A pong is the service's: it tells that everything sent before has arrived.
  new WebSocketServer({ server, autoPong: false, perMessageDeflate: false }).on(
    'connection',
    (client, { url }) => {
      linkFrames(client, new URL(url ?? '', service.replace(/^http/, 'ws')), links, frame);
    },
  );
  return server;
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/**
 * Puts a proxy in front of each service that `faults` names, and gives the endpoints with their addresses to
 * `use`. The proxies are gone afterwards.
 */
export async function withFaults<T>(
  endpoints: Endpoints,
  faults: Faults,
  use: (endpoints: Endpoints) => Promise<T>,
): Promise<T> {
  const servers: Server[] = [];
  const start = async (name: keyof Faults): Promise<string> => {
    const service = endpoints[`${name}Url`];
    const found = faults[name];
    if (found === undefined) return service;
    const server = serve(service, found);
    servers.push(server);
    return listen(server);
  };
  try {
    const [authUrl, backendUrl, llmUrl, frontendUrl] = await Promise.all([
      start('auth'),
      start('backend'),
      start('llm'),
      start('frontend'),
    ]);
    const webSocket = new URL(endpoints.backendWebSocketUrl);
    webSocket.host = new URL(backendUrl).host;
    return await use({
      ...endpoints,
      authUrl,
      backendUrl,
      llmUrl,
      frontendUrl,
      backendWebSocketUrl: webSocket.href,
    });
  } finally {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  }
}
