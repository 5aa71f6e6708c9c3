import { Readable } from 'node:stream';
import * as z from 'zod';
import { port, readEnv } from '../shared/env.js';
import { ApiError } from '../shared/errors.js';
import { registerHealth } from '../shared/health.js';
import { createHttpServer, parse } from '../shared/http.js';
import { createLogger } from '../shared/log.js';
import { onShutdown } from '../shared/shutdown.js';
import { completion, completionStream, garbageStream } from './completions.js';
import { completionRequestSchema } from './messages.js';
import { replyTo } from './script.js';

const model = 'stand-in';
/** A whole conversation comes with every request. */
const bodyLimitBytes = 4 * 1024 * 1024;

const env = readEnv(z.object({ PORT: port.default(8082) }));
const logger = createLogger('llm');
const server = createHttpServer(logger, bodyLimitBytes);

registerHealth(server, {});

server.get('/v1/models', () => ({
  object: 'list',
  data: [{ id: model, object: 'model', created: 0, owned_by: 'rehearsal' }],
}));

server.post('/v1/chat/completions', async (request, reply) => {
  const body = parse(completionRequestSchema, request.body);
  if (body.model !== model) throw new ApiError(404, 'model_not_found', `There is no model "${body.model}".`);
  const answer = replyTo(body.messages);
  switch (answer.kind) {
    case 'error':
      throw new ApiError(500, 'scripted_error', 'The message asked for an error.');
    case 'hang':
      // Fastify keeps the request open: nothing is ever sent.
      reply.hijack();
      return reply;
    case 'garbage':
      return reply.type('text/event-stream').send(Readable.from(garbageStream()));
    case 'text':
    case 'tool':
      if (!body.stream) return completion(body, answer);
      return reply.type('text/event-stream').send(Readable.from(completionStream(body, answer)));
  }
});

onShutdown(logger, () => server.close());
await server.listen({ port: env.PORT, host: '0.0.0.0' });
