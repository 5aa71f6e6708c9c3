import { createThread, postMessage, type Agent } from './backend.js';
import { connect, type Connection } from './connection.js';
import { deadlines } from './deadlines.js';
import type { AgentEvent, ReceivedEvent } from './events.js';
import { problemsOfRun, problemsOfStream, type ExpectedEvent } from './order.js';
import type { User } from './users.js';

/** A user with a thread of their own, subscribed to it. */
export interface Chat {
  user: User;
  threadId: string;
  connection: Connection;
}

export async function openChat(user: User): Promise<Chat> {
  const threadId = await createThread(user);
  const connection = await connect(user);
  await connection.subscribe(threadId);
  return { user, threadId, connection };
}

/** Sends a message and returns the run's events when it has ended. */
export async function ask(
  { user, threadId, connection }: Chat,
  input: string,
  { agent = 'assistant', deadlineMs = deadlines.runMs }: { agent?: Agent; deadlineMs?: number } = {},
): Promise<{ runId: string; events: ReceivedEvent[] }> {
  const runId = await postMessage(user, threadId, input, agent);
  const events = await connection.untilEnd(runId, agent, deadlineMs);
  return { runId, events };
}

/** What is wrong with one run's events, and with everything else that the chat's connection received. */
export function problemsOf(
  { user, threadId, connection }: Chat,
  events: readonly AgentEvent[],
  expected: readonly ExpectedEvent[],
): string[] {
  return [
    ...connection.malformed,
    ...problemsOfStream(user.label, connection.events, { userId: user.userId, threadId }),
    ...problemsOfRun(user.label, events, expected),
  ];
}
