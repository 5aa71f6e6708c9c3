import { type FastifyInstance, type FastifyRequest } from 'fastify';
import * as z from 'zod';
import { ApiError } from '../shared/errors.js';
import { parse } from '../shared/http.js';
import { bearerToken, type VerifyToken } from '../shared/tokens.js';
import { idSchema, newMessageSchema } from './requests.js';
import { type RunService } from './run-service.js';
import { type Runs } from './stores/runs.js';
import { type Threads } from './stores/threads.js';

const newThreadSchema = z.object({ title: z.string().trim().min(1).max(200).default('New thread') });

interface WithId {
  Params: { id: string };
}

export interface RouteDependencies {
  threads: Threads;
  runs: Runs;
  runService: RunService;
  verifyToken: VerifyToken;
}

export function registerRoutes(
  server: FastifyInstance,
  { threads, runs, runService, verifyToken }: RouteDependencies,
): void {
  const callerOf = async (request: FastifyRequest): Promise<string> =>
    (await verifyToken(bearerToken(request.headers.authorization))).userId;

  server.post('/threads', async (request, reply) => {
    const userId = await callerOf(request);
    const { title } = parse(newThreadSchema, request.body ?? {});
    return reply.code(201).send({ threadId: await threads.add(userId, title) });
  });

  server.get('/threads', async (request) => ({ threads: await threads.listOf(await callerOf(request)) }));

  server.get<WithId>('/threads/:id/messages', async (request) => {
    const userId = await callerOf(request);
    const threadId = idOf(request, 'thread_not_found');
    if (!(await threads.belongsTo(threadId, userId))) throw notFound('thread_not_found');
    return { messages: await threads.messages(threadId) };
  });

  server.post<WithId>('/threads/:id/messages', async (request, reply) => {
    const userId = await callerOf(request);
    const threadId = idOf(request, 'thread_not_found');
    const { content, agent } = parse(newMessageSchema, request.body);
    return reply.code(202).send(await runService.start(userId, threadId, content, agent));
  });

  server.get<WithId>('/runs/:id', async (request) => {
    const userId = await callerOf(request);
    const run = await runs.find(idOf(request, 'run_not_found'), userId);
    if (run === undefined) throw notFound('run_not_found');
    return run;
  });
}

function idOf(request: FastifyRequest<WithId>, code: 'thread_not_found' | 'run_not_found'): string {
  const id = idSchema.safeParse(request.params.id);
  if (!id.success) throw notFound(code);
  return id.data;
}

function notFound(code: 'thread_not_found' | 'run_not_found'): ApiError {
  return new ApiError(
    404,
    code,
    code === 'run_not_found' ? 'You have no such run.' : 'You have no such thread.',
  );
}
