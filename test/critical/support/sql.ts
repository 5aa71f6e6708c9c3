import type { Duplex } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { afterAll } from '@jest/globals';
import pg from 'pg';
import * as z from 'zod';
import { DeadlineExceededError, waitUntil } from '../../../engine/wait.js';
import { deadlines } from './deadlines.js';
import { environment } from './environment.js';
import type { ReceivedEvent } from './events.js';

const { postgres, clickhouse } = environment.endpoints;

const pool = new pg.Pool({
  ...postgres,
  max: 2,
  connectionTimeoutMillis: deadlines.replyMs,
  query_timeout: deadlines.replyMs,
});
// An idle connection that breaks is no failure: the next query says more.
pool.on('error', () => undefined);
const sockets = new Set<Duplex>();
pool.on('connect', ({ connection }) => {
  sockets.add(connection.stream);
});
afterAll(async () => {
  const ended = pool.end();
  // A server that hangs never answers the farewell, and open sockets would keep the suite from ending.
  for (const socket of sockets) socket.destroy();
  await ended;
});

export interface MessageRow {
  id: string;
  run_id: string;
  role: string;
  agent: string;
  content: string;
}

export interface RunRow {
  id: string;
  user_id: string;
  agent: string;
  status: string;
  error: string | null;
  steps: number | null;
  revisions: number | null;
  content: string | null;
  finished: boolean;
}

/** A thread's messages in PostgreSQL, in order. */
export async function messageRows(threadId: string): Promise<MessageRow[]> {
  const { rows } = await pool.query<MessageRow>(
    'SELECT id, run_id, role, agent, content FROM app.messages WHERE thread_id = $1 ORDER BY position',
    [threadId],
  );
  return rows;
}

/** A thread's runs in PostgreSQL, oldest first. */
export async function runRows(threadId: string): Promise<RunRow[]> {
  const { rows } = await pool.query<RunRow>(
    `SELECT id, user_id, agent, status, error, steps, revisions, content, finished_at IS NOT NULL AS finished
     FROM app.runs WHERE thread_id = $1 ORDER BY created_at`,
    [threadId],
  );
  return rows;
}

/** Numbers of 64 bits come as strings from some releases. */
const eventRow = z.object({
  run_id: z.string(),
  user_id: z.string(),
  agent: z.string(),
  type: z.string(),
  seq: z.coerce.number(),
  emitted_at_ms: z.number(),
  data: z.string().transform((text): unknown => JSON.parse(text)),
});
type EventRow = z.infer<typeof eventRow>;

async function readEventRows(threadId: string): Promise<EventRow[]> {
  const url = new URL(clickhouse.url);
  url.searchParams.set('database', clickhouse.database);
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'X-ClickHouse-User': clickhouse.user, 'X-ClickHouse-Key': clickhouse.password },
    body: `SELECT run_id, user_id, agent, type, seq, emitted_at_ms, data FROM events
           WHERE thread_id = '${z.uuid().parse(threadId)}' ORDER BY seq, emitted_at_ms FORMAT JSONEachRow`,
    signal: AbortSignal.timeout(deadlines.replyMs),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`ClickHouse answered ${String(response.status)}: ${text.slice(0, 500)}`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => eventRow.parse(JSON.parse(line)));
}

/** The row that an event should have left. */
function rowOf({ runId, userId, agent, type, seq, emittedAt, data }: ReceivedEvent): EventRow {
  return { run_id: runId, user_id: userId, agent, type, seq, emitted_at_ms: emittedAt, data };
}

const nameRow = ({ type, seq }: EventRow): string => `${type} (seq ${String(seq)})`;

function differences(label: string, rows: readonly EventRow[], expected: readonly EventRow[]): string[] {
  const problems: string[] = [];
  for (const wanted of expected) {
    const [row, ...more] = rows.filter(({ seq }) => seq === wanted.seq);
    if (row === undefined)
      problems.push(`${label}: ${nameRow(wanted)} was received, but ClickHouse has no row of it`);
    else if (more.length > 0)
      problems.push(`${label}: ClickHouse has ${nameRow(wanted)} ${String(more.length + 1)} times`);
    else if (!isDeepStrictEqual(row, wanted)) {
      const [has, received] = [JSON.stringify(row), JSON.stringify(wanted)];
      problems.push(`${label}: ${nameRow(wanted)}: ClickHouse has ${has}, the user received ${received}`);
    }
  }
  const known = new Set(expected.map(({ seq }) => seq));
  for (const row of rows.filter(({ seq }) => !known.has(seq))) {
    problems.push(`${label}: ClickHouse has ${nameRow(row)}, which was never received`);
  }
  return problems;
}

/** How a thread's rows in ClickHouse, once they had the time to get there, differ from what its user received. */
export async function problemsOfRows(
  label: string,
  threadId: string,
  events: readonly ReceivedEvent[],
): Promise<string[]> {
  const expected = events.map(rowOf);
  let problems: string[] = [];
  try {
    await waitUntil(
      async () => {
        problems = differences(label, await readEventRows(threadId), expected);
        return problems.length;
      },
      (count) => count === 0,
      { what: `${label}: rows in ClickHouse`, deadlineMs: deadlines.eventRowsMs, intervalMs: 200 },
    );
  } catch (error) {
    if (!(error instanceof DeadlineExceededError)) throw error;
  }
  return problems;
}
