import pg from 'pg';
import type { Endpoints } from '../../../components/outputs.js';

/**
 * While `use` runs, PostgreSQL loses each assistant's message whose text is LIKE `pattern`: the insert succeeds
 * and leaves no row.
 */
export async function losingMessages<T>(
  postgres: Endpoints['postgres'],
  pattern: string,
  use: () => Promise<T>,
): Promise<T> {
  const client = new pg.Client(postgres);
  await client.connect();
  try {
    await client.query(`
      CREATE FUNCTION app.lose_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER lose_row BEFORE INSERT ON app.messages FOR EACH ROW
      WHEN (NEW.role = 'assistant' AND NEW.content LIKE ${client.escapeLiteral(pattern)})
      EXECUTE FUNCTION app.lose_row()`);
    return await use();
  } finally {
    await client.query('DROP FUNCTION app.lose_row() CASCADE');
    await client.end();
  }
}

async function query({ url, user, password }: Endpoints['clickhouse'], sql: string): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password },
    body: sql,
  });
  if (!response.ok) throw new Error(`ClickHouse: ${await response.text()}`);
}

/**
 * While `use` runs, there is a second database whose table `events` is a view of the real one.
 * @param select from the real table's name to the view's SELECT.
 */
export async function withEventsView<T>(
  clickhouse: Endpoints['clickhouse'],
  select: (table: string) => string,
  use: (clickhouse: Endpoints['clickhouse']) => Promise<T>,
): Promise<T> {
  const database = 'faulty';
  await query(clickhouse, `CREATE DATABASE ${database}`);
  try {
    await query(clickhouse, `CREATE VIEW ${database}.events AS ${select(`${clickhouse.database}.events`)}`);
    return await use({ ...clickhouse, database });
  } finally {
    await query(clickhouse, `DROP DATABASE ${database}`);
  }
}
