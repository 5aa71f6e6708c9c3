import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { createLlmClient, type LlmReply } from '../../images/app/src/backend/engine/llm-client.js';

const piece = (content: string, finish: string | null = null): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`;
const whole = [piece('Grüß '), piece('Gott'), piece('', 'stop'), 'data: [DONE]\n\n'];
const asStream = { 'content-type': 'text/event-stream; charset=utf-8' };

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
});

async function serve(answer: RequestListener): Promise<{ baseUrl: string; connections: () => number }> {
  const server = createServer(answer);
  servers.push(server);
  let connections = 0;
  server.on('connection', () => (connections += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { baseUrl: `http://127.0.0.1:${String(port)}/v1/`, connections: () => connections };
}

const ask = (
  baseUrl: string,
  { timeoutMs = 30_000, signal = new AbortController().signal } = {},
): (() => Promise<LlmReply>) => {
  const client = createLlmClient({ baseUrl, model: 'a-model', apiKey: 'a-key', timeoutMs });
  return () => client.complete([{ role: 'user', content: 'Grüß Gott' }], [], signal);
};

test('a reply is put together from its pieces, wherever the network cut them', async () => {
  let asked = '';
  const { baseUrl } = await serve((request, response) => {
    request.setEncoding('utf8').on('data', (text: string) => (asked += text));
    request.on('end', () => {
      response.writeHead(200, asStream);
      const bytes = Buffer.from(whole.join(''));
      // In the middle of a character.
      const cut = bytes.indexOf('ü') + 1;
      response.write(bytes.subarray(0, cut), () => setImmediate(() => response.end(bytes.subarray(cut))));
      expect(request.url).toBe('/v1/chat/completions');
      expect(request.headers.authorization).toBe('Bearer a-key');
    });
  });
  expect(await ask(baseUrl)()).toEqual({ content: 'Grüß Gott', toolCalls: [] });
  expect(JSON.parse(asked)).toMatchObject({
    model: 'a-model',
    stream: true,
    messages: [{ content: 'Grüß Gott' }],
  });
});

test('one connection serves the requests that come one after the other', async () => {
  const { baseUrl, connections } = await serve((_, response) => {
    response.writeHead(200, asStream).end(whole.join(''));
  });
  const askOnce = ask(baseUrl);
  for (let count = 0; count < 5; count += 1) expect((await askOnce()).content).toBe('Grüß Gott');
  expect(connections()).toBe(1);
});

test.each<[string, RequestListener, { code: string; message: string }]>([
  [
    'an error',
    (_, response) => response.writeHead(503).end('busy'),
    { code: 'llm_error', message: 'The LLM answered with HTTP 503.' },
  ],
  [
    'no stream',
    (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    {
      code: 'llm_invalid_response',
      message: 'The LLM answered with something other than a stream of events.',
    },
  ],
  [
    'a cut connection instead of a response',
    ({ socket }) => socket.destroy(),
    { code: 'llm_error', message: 'The connection to the LLM failed.' },
  ],
  [
    'half a reply and a cut connection',
    (_, response) => {
      response.writeHead(200, asStream).write(whole[0], () => response.destroy());
    },
    { code: 'llm_error', message: 'The connection to the LLM failed.' },
  ],
  [
    'half a reply and its end',
    (_, response) => response.writeHead(200, asStream).end(whole[0]),
    { code: 'llm_invalid_response', message: "The LLM's stream ended before the reply did." },
  ],
])('%s is told', async (_, answer, expected) => {
  const { baseUrl } = await serve(answer);
  await expect(ask(baseUrl)()).rejects.toMatchObject(expected);
});

const silent: RequestListener = () => undefined;
const stuck: RequestListener = (_, response) => response.writeHead(200, asStream).write(whole[0]);

test.each([
  ['that never answers', silent],
  ['that stops in mid-reply', stuck],
])('a server %s is given up after the time that it has', async (_, answer) => {
  const { baseUrl } = await serve(answer);
  const expected = { code: 'llm_timeout', message: 'The LLM did not finish within 50 ms.' };
  await expect(ask(baseUrl, { timeoutMs: 50 })()).rejects.toMatchObject(expected);
});

test.each([
  ['before it has answered', silent],
  ['in mid-reply', stuck],
])('a process that stops gives a request up %s', async (_, answer) => {
  const stopping = new AbortController();
  const reason = new Error('stopping');
  const { baseUrl } = await serve((request, response) => {
    answer(request, response);
    setImmediate(() => stopping.abort(reason));
  });
  await expect(ask(baseUrl, { signal: stopping.signal })()).rejects.toBe(reason);
});
