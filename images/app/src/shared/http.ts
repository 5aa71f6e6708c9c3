import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type * as z from 'zod';
import { ApiError } from './errors.js';
import { type Logger } from './log.js';

const defaultBodyLimitBytes = 64 * 1024;

/** A server that answers errors as `{error, message}` and logs one line per request, health checks apart. */
export function createHttpServer(logger: Logger, bodyLimitBytes = defaultBodyLimitBytes): FastifyInstance {
  const loggerInstance: FastifyBaseLogger = logger;
  const server = Fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyLimitBytes,
    // Idle connections are cut at shutdown, so that it ends within a second.
    forceCloseConnections: true,
  });
  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: 'not_found', message: `No ${request.method} ${request.url}` }),
  );
  server.setErrorHandler((error, request, reply) => {
    const answer = toApiError(error);
    if (answer.status >= 500) request.log.error({ err: error }, 'request failed');
    return reply.code(answer.status).send({ error: answer.code, message: answer.message });
  });
  server.addHook('onResponse', async (request, reply) => {
    if (request.url === '/health') return;
    request.log.info(
      {
        method: request.method,
        route: request.routeOptions.url,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      },
      'request',
    );
  });
  return server;
}

export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  // Fastify's own errors: a body that is no JSON, too large, of another content type.
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  if (status >= 400 && status < 500) return new ApiError(status, 'invalid_request', (error as Error).message);
  return new ApiError(500, 'internal', 'The server failed to answer.');
}

/** @throws ApiError 400 `invalid_request` that names every field that is wrong. */
export function parse<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => [...issue.path.map(String), issue.message].join(': '));
  throw new ApiError(400, 'invalid_request', problems.join('; '));
}
