import * as z from 'zod';
import { environment } from './environment.js';
import { expectBody, send, type Answer } from './http.js';
import type { User } from './users.js';

const { backendUrl } = environment.endpoints;
export type Agent = 'assistant' | 'write-review-refine';

const threadCreated = z.strictObject({ threadId: z.uuid() });
const threadList = z.strictObject({
  threads: z.array(
    z.strictObject({ id: z.uuid(), title: z.string().nullable(), createdAt: z.iso.datetime() }),
  ),
});
const messageAccepted = z.strictObject({ messageId: z.uuid(), runId: z.uuid() });
const messageList = z.strictObject({
  messages: z.array(
    z.strictObject({
      id: z.uuid(),
      runId: z.uuid(),
      role: z.enum(['user', 'assistant']),
      agent: z.string(),
      content: z.string(),
      createdAt: z.iso.datetime(),
    }),
  ),
});
const runState = z.strictObject({
  id: z.uuid(),
  threadId: z.uuid(),
  agent: z.string(),
  status: z.enum(['running', 'completed', 'failed']),
  error: z.string().nullable(),
  steps: z.int().nullable(),
  revisions: z.int().nullable(),
  content: z.string().nullable(),
});
type Message = z.infer<typeof messageList>['messages'][number];
type Run = z.infer<typeof runState>;

export async function createThread({ token }: User): Promise<string> {
  const answer = await send('POST', `${backendUrl}/threads`, { token, body: {} });
  return expectBody(answer, 201, threadCreated).threadId;
}

export async function listThreads(token: string): Promise<string[]> {
  const answer = await send('GET', `${backendUrl}/threads`, { token });
  return expectBody(answer, 200, threadList).threads.map(({ id }) => id);
}

/** The bare answer, for messages that are to be refused. */
export function tryToPost({ token }: { token: string }, threadId: string, content: string): Promise<Answer> {
  return send('POST', `${backendUrl}/threads/${threadId}/messages`, { token, body: { content } });
}

/** @returns the run's id. */
export async function postMessage(
  { token }: User,
  threadId: string,
  content: string,
  agent: Agent = 'assistant',
): Promise<string> {
  const body = { content, agent };
  const answer = await send('POST', `${backendUrl}/threads/${threadId}/messages`, { token, body });
  return expectBody(answer, 202, messageAccepted).runId;
}

export function tryToListMessages(
  { token }: { token?: string | undefined },
  threadId: string,
): Promise<Answer> {
  return send('GET', `${backendUrl}/threads/${threadId}/messages`, token === undefined ? {} : { token });
}

export async function listMessages(user: User, threadId: string): Promise<Message[]> {
  return expectBody(await tryToListMessages(user, threadId), 200, messageList).messages;
}

export function tryToGetRun({ token }: { token: string }, runId: string): Promise<Answer> {
  return send('GET', `${backendUrl}/runs/${runId}`, { token });
}

export async function getRun(user: User, runId: string): Promise<Run> {
  return expectBody(await tryToGetRun(user, runId), 200, runState);
}

/** How many workers serve, as the backend itself says. */
export async function workerCount(): Promise<number> {
  const health = z.object({ status: z.literal('ok'), workers: z.int().positive() });
  return expectBody(await send('GET', `${backendUrl}/health`), 200, health).workers;
}
