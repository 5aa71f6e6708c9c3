import pg from 'pg';
import { type Logger } from './log.js';

export type Sql = Pick<pg.Pool, 'query'>;

/** A pool that uses nothing a transaction pooler can't give: no prepared statements by name, no session state. */
export function createPool(databaseUrl: string, connections: number, logger: Logger): pg.Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: connections,
    connectionTimeoutMillis: 5000,
    query_timeout: 10_000,
  });
  pool.on('error', (error) => logger.warn({ err: error }, 'idle database connection lost'));
  return pool;
}

/** Commits what `work` did, or rolls it back and rethrows its error. */
export async function transaction<T>(pool: pg.Pool, work: (sql: Sql) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    // A connection that can't roll back is not given to anybody else.
    await client.query('rollback').catch((rollbackError: unknown) => {
      broken = rollbackError instanceof Error ? rollbackError : new Error(String(rollbackError));
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/**
 * Runs idempotent DDL in one transaction. The advisory lock makes it safe for several processes to start at
 * once: `create … if not exists` alone is not.
 */
export async function migrate(pool: pg.Pool, ddl: string): Promise<void> {
  await transaction(pool, async (sql) => {
    await sql.query('select pg_advisory_xact_lock(4711)');
    await sql.query(ddl);
  });
}
