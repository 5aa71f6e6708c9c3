import type { HttpAnswer, HttpFault } from './proxy.js';

function withJson(answer: HttpAnswer, change: (content: Record<string, unknown>) => void): HttpAnswer {
  const content = JSON.parse(answer.body.toString()) as Record<string, unknown>;
  change(content);
  return { ...answer, body: Buffer.from(JSON.stringify(content)) };
}

/** Tokens live on after the moment for which they were asked, which is still what login says. */
export const tokensOutliveTheirTime: HttpFault = async (request, forward) => {
  if (request.path !== '/login') return forward(request);
  const login = JSON.parse(request.body.toString()) as { ttlSeconds?: number };
  const { ttlSeconds } = login;
  if (ttlSeconds === undefined) return forward(request);
  delete login.ttlSeconds;
  const answer = await forward({ ...request, body: Buffer.from(JSON.stringify(login)) });
  return withJson(answer, (content) => {
    content['expiresAt'] = new Date(Date.now() + ttlSeconds * 1000).toISOString();
  });
};

/** A logout is confirmed, but the session stays. */
export const sessionsOutliveLogout: HttpFault = async (request, forward) =>
  request.path === '/logout' ? { status: 204, headers: {}, body: Buffer.alloc(0) } : forward(request);

/** The LLM's texts are others, streamed or not; its tool calls are as they were. */
export const answersLikeNobody: HttpFault = async (request, forward) => {
  const answer = await forward(request);
  return { ...answer, body: Buffer.from(answer.body.toString().replaceAll('You said', 'Nobody said')) };
};

interface Message {
  role: string;
  content: string;
}

/** The chat page is given other messages than there are. */
export const showsOtherMessages =
  (change: (messages: Message[]) => Message[]): HttpFault =>
  async (request, forward) => {
    const answer = await forward(request);
    if (request.method !== 'GET' || !/^\/api\/threads\/[^/]+\/messages$/.test(request.path)) return answer;
    return withJson(answer, (content) => {
      content['messages'] = change(content['messages'] as Message[]);
    });
  };
