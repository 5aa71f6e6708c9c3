import { isDeepStrictEqual } from 'node:util';
import { getRun, listMessages } from './backend.js';
import type { Chat } from './chat.js';
import { problemsOfList } from './lists.js';
import { expectNone } from './order.js';
import { messageRows, runRows } from './sql.js';

export interface Outcome {
  status: 'completed' | 'failed';
  agent?: string;
  error: string | null;
  steps: number;
  revisions?: number;
  content: string | null;
}

function problemsOfFields(label: string, holder: string, seen: object, expected: object): string[] {
  return Object.entries(expected)
    .map(([key, wanted]): [key: string, wanted: unknown, has: unknown] => [
      key,
      wanted,
      Reflect.get(seen, key),
    ])
    .filter(([, wanted, has]) => !isDeepStrictEqual(has, wanted))
    .map(([key, wanted, has]) => {
      const values = [wanted, has].map((value) => JSON.stringify(value));
      return `${label}: the run in ${holder}: expected ${key} ${values.join(', got ')}`;
    });
}

/** A run that has ended, as the HTTP API and PostgreSQL have it. They have it before its last event. */
export async function expectStored(
  { user: { label, ...user }, threadId }: Pick<Chat, 'user' | 'threadId'>,
  runId: string,
  outcome: Outcome,
): Promise<void> {
  const expected = { agent: 'assistant', ...outcome };
  const run = await getRun({ label, ...user }, runId);
  const rows = (await runRows(threadId)).filter(({ id }) => id === runId);
  const row = rows[0] ?? {};
  expectNone([
    ...problemsOfFields(label, 'the API', run, { id: runId, threadId, ...expected }),
    ...(rows.length === 1 ? [] : [`${label}: PostgreSQL has ${String(rows.length)} rows of run ${runId}`]),
    ...problemsOfFields(label, 'PostgreSQL', row, { user_id: user.userId, finished: true, ...expected }),
  ]);
}

/** All messages of a thread, as the HTTP API and PostgreSQL have them. */
export async function expectMessages(
  { user, threadId }: Pick<Chat, 'user' | 'threadId'>,
  contents: [role: 'user' | 'assistant', content: string][],
): Promise<void> {
  const { label } = user;
  const expected = contents.map(([role, content]) => nameMessage({ role, content }));
  const messages = await listMessages(user, threadId);
  const rows = await messageRows(threadId);
  expectNone([
    ...problemsOfList(label, 'PostgreSQL', rows.map(nameMessage), expected),
    ...problemsOfList(label, 'the API', messages.map(nameMessage), expected),
    ...rows.flatMap(({ run_id: runId, ...row }, index) => {
      const message = messages[index];
      if (message === undefined) return [];
      const stored = { ...row, runId, createdAt: message.createdAt };
      if (isDeepStrictEqual(message, stored)) return [];
      const [told, has] = [JSON.stringify(message), JSON.stringify(stored)];
      return [`${label}: message ${String(index + 1)}: the API has ${told}, PostgreSQL has ${has}`];
    }),
  ]);
}

/** A message without what is its own alone: `assistant "The result is 2."`. */
export const nameMessage = ({ role, content }: { role: string; content: string }): string =>
  `${role} ${JSON.stringify(content)}`;
