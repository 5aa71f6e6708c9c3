import { expect } from '@jest/globals';
import { getRun, listMessages } from './backend.js';
import type { Chat } from './chat.js';
import { messageRows, runRows } from './sql.js';

export interface Outcome {
  status: 'completed' | 'failed';
  agent?: string;
  error: string | null;
  steps: number;
  revisions?: number;
  content: string | null;
}

/** A run that has ended, as the HTTP API and PostgreSQL have it. They have it before its last event. */
export async function expectStored(
  { user, threadId }: Pick<Chat, 'user' | 'threadId'>,
  runId: string,
  outcome: Outcome,
): Promise<void> {
  const expected = { agent: 'assistant', ...outcome };
  // The label is there for the failure's message: it tells which user's run it is.
  const { label } = user;
  expect({ label, run: await getRun(user, runId) }).toMatchObject({
    label,
    run: { id: runId, threadId, ...expected },
  });
  const rows = (await runRows(threadId)).filter(({ id }) => id === runId);
  expect({ label, rows }).toMatchObject({
    label,
    rows: [{ user_id: user.userId, finished: true, ...expected }],
  });
}

/** All messages of a thread, as the HTTP API and PostgreSQL have them. */
export async function expectMessages(
  { user, threadId }: Pick<Chat, 'user' | 'threadId'>,
  contents: [role: 'user' | 'assistant', content: string][],
): Promise<void> {
  const messages = await listMessages(user, threadId);
  const { label } = user;
  expect({ label, messages: messages.map(({ role, content }) => [role, content]) }).toEqual({
    label,
    messages: contents,
  });
  expect({ label, rows: await messageRows(threadId) }).toEqual({
    label,
    rows: messages.map(({ id, runId, role, agent, content }) => ({
      id,
      run_id: runId,
      role,
      agent,
      content,
    })),
  });
}
