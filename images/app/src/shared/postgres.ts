import pg from 'pg';
import { DependencyError } from './errors.js';
import { type Logger } from './log.js';

/** For a connection from the pool, and again for the answer. */
const answerTimeoutMs = 5000;

/** SQLSTATEs: connection exceptions, a server that stops or starts, no connection left, its disk or system failed. */
const unavailable = /^(08|57P|53300|58)/;
const diskFull = '53100';

/** Throws DependencyError when PostgreSQL can't be reached, doesn't answer in time or has no disk space. */
export interface Sql {
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<pg.QueryResult<Row>>;
}
export interface Database extends Sql {
  close(): Promise<void>;
}

/** A pool that uses nothing a transaction pooler can't give: no prepared statements by name, no session state. */
export function createDatabase(databaseUrl: string, connections: number, logger: Logger): Database {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: connections,
    connectionTimeoutMillis: answerTimeoutMs,
    query_timeout: answerTimeoutMs,
  });
  pool.on('error', (error) => logger.warn({ err: error }, 'idle database connection lost'));

  return {
    query: (text, values) => answerOf(pool.query(text, values)),
    close: () => pool.end(),
  };
}

async function answerOf<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw toDependencyError(error);
  }
}

function toDependencyError(error: unknown): unknown {
  const sqlState = error instanceof pg.DatabaseError ? (error.code ?? '') : undefined;
  if (sqlState === diskFull) return new DependencyError('postgres', 'full', { cause: error });
  // What isn't said by the server is said about the connection to it.
  if (sqlState === undefined || unavailable.test(sqlState))
    return new DependencyError('postgres', 'unavailable', { cause: error });
  return error;
}

/**
 * Runs idempotent DDL in one transaction. The advisory lock makes it safe for several processes to start at
 * once: `create … if not exists` alone is not.
 */
export async function migrate(sql: Sql, ddl: string): Promise<void> {
  // Statements that are sent together without values are one transaction.
  await sql.query(`select pg_advisory_xact_lock(4711); ${ddl}`);
}
