import { Redis } from 'ioredis';
import pg from 'pg';
import * as z from 'zod';
import type { Endpoints } from '../../../components/outputs.js';

/** What an environment holds of one user, by where it is kept. */
interface Holding {
  /** `PostgreSQL: run 5f…`, for messages. */
  what: string;
  userId: string;
}

/**
 * Everything in an environment's stores that belongs to nobody whom a suite made there.
 * @param emails of the accounts that the suite made.
 * @returns one sentence each; none when the environment is the suite's own.
 */
export async function foreignData(
  { postgres, redis, clickhouse }: Endpoints,
  emails: readonly string[],
): Promise<string[]> {
  const { users, threads, holdings } = await readPostgres(postgres);
  const own = new Set(users.filter(({ email }) => emails.includes(email)).map(({ id }) => id));
  const threadOwners = new Map(threads.map(({ id, userId }) => [id, userId]));
  const all = [
    ...users.map(({ id, email }) => ({ what: `PostgreSQL: user ${email}`, userId: id })),
    ...holdings,
    ...(await readClickHouse(clickhouse, threadOwners)),
    ...(await readRedis(redis, threadOwners)),
  ];
  return all.filter(({ userId }) => !own.has(userId)).map(({ what, userId }) => `${what} of user ${userId}`);
}

interface Postgres {
  users: { id: string; email: string }[];
  threads: { id: string; userId: string }[];
  holdings: Holding[];
}

async function readPostgres(login: Endpoints['postgres']): Promise<Postgres> {
  const client = new pg.Client(login);
  await client.connect();
  try {
    const users = await client.query<{ id: string; email: string }>('SELECT id, email FROM auth.users');
    const rows = await client.query<{ kind: string; id: string; userId: string }>(
      `SELECT 'thread' AS kind, id, user_id AS "userId" FROM app.threads
       UNION ALL SELECT 'run', id, user_id FROM app.runs
       UNION ALL SELECT 'message', m.id, t.user_id FROM app.messages m JOIN app.threads t ON t.id = m.thread_id`,
    );
    return {
      users: users.rows,
      threads: rows.rows.filter(({ kind }) => kind === 'thread'),
      holdings: rows.rows.map(({ kind, id, userId }) => ({ what: `PostgreSQL: ${kind} ${id}`, userId })),
    };
  } finally {
    await client.end();
  }
}

type ThreadOwners = ReadonlyMap<string, string>;
const nobody = 'unknown';

const eventsOfThread = z.object({ thread_id: z.string(), user_id: z.string() });

async function readClickHouse(
  { url, database, user, password }: Endpoints['clickhouse'],
  owners: ThreadOwners,
): Promise<Holding[]> {
  const address = new URL(url);
  address.searchParams.set('database', database);
  const response = await fetch(address, {
    method: 'POST',
    headers: { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password },
    body: 'SELECT DISTINCT thread_id, user_id FROM events FORMAT JSONEachRow',
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`ClickHouse answered ${String(response.status)}: ${text.slice(0, 500)}`);
  const rows = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => eventsOfThread.parse(JSON.parse(line)));
  return rows.map(({ thread_id: thread, user_id: userId }) => ({
    what: `ClickHouse: events of thread ${thread}`,
    // A user's events in another's thread are as foreign as another's events.
    userId: owners.get(thread) === userId ? userId : `${userId}, whose thread it is not,`,
  }));
}

/** Keys that belong to nobody: the backend asks with them whether there is room. */
const commonKeys = new Set(['probe']);

async function readRedis(login: Endpoints['redis'], owners: ThreadOwners): Promise<Holding[]> {
  const redis = new Redis(login);
  try {
    const holdings: Holding[] = [];
    for (const key of await redis.keys('*')) {
      if (commonKeys.has(key)) continue;
      const [kind = '', id = ''] = key.split(':');
      holdings.push({ what: `Redis: ${key}`, userId: (await ownerOf(redis, kind, id, owners)) ?? nobody });
    }
    return holdings;
  } finally {
    redis.disconnect();
  }
}

async function ownerOf(
  redis: Redis,
  kind: string,
  id: string,
  owners: ThreadOwners,
): Promise<string | undefined> {
  if (kind === 'session') return (await redis.get(`session:${id}`)) ?? undefined;
  if (kind === 'context') return id;
  if (kind === 'events' || kind === 'seq') return owners.get(id);
  return undefined;
}
