import pg from 'pg';
import { reasonOf } from '../../../engine/errors.js';
import { deadlines } from './deadlines.js';
import { environment } from './environment.js';
import { reasonOfFetch } from './failed-fetch.js';

const { authUrl, backendUrl, llmUrl, frontendUrl, postgres, clickhouse } = environment.endpoints;

/** What is out of order in the environment by the services' own account, a sentence each; empty when all is well. */
export async function symptoms(): Promise<string[]> {
  const found = await Promise.all([
    healthOf('backend', backendUrl),
    healthOf('auth', authUrl),
    healthOf('llm', llmUrl),
    healthOf('frontend', frontendUrl),
    postgresWrites(),
    clickhouseWrites(),
  ]);
  return found.flat();
}

const signal = (): AbortSignal => AbortSignal.timeout(deadlines.symptomMs);

/** `GET /health` says which dependencies a service misses. */
async function healthOf(service: string, url: string): Promise<string[]> {
  try {
    const response = await fetch(`${url}/health`, { signal: signal() });
    if (response.ok) {
      await response.body?.cancel();
      return [];
    }
    const dependencies = Object.entries((await response.json()) as Record<string, unknown>).filter(
      ([key, state]) => key !== 'status' && state === 'unavailable',
    );
    const missed = dependencies.map(([dependency]) => `${service}: ${dependency} unavailable`);
    return missed.length > 0 ? missed : [`${service}: its health is HTTP ${String(response.status)}`];
  } catch (error) {
    return [`${service}: GET /health: ${reasonOfFetch(error)}`];
  }
}

/** More than the free space that a database keeps in its files. */
const someRows = 'SELECT repeat(md5(number::text), 32) FROM generate_series(1, 1000) AS number';

/** A store with a full disk still answers whoever reads. */
async function postgresWrites(): Promise<string[]> {
  const client = new pg.Client({
    ...postgres,
    connectionTimeoutMillis: deadlines.symptomMs,
    query_timeout: deadlines.symptomMs,
  });
  // An error after the answer to the query has no reader.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(`CREATE TEMPORARY TABLE symptom AS ${someRows}`);
    return [];
  } catch (error) {
    return [`postgres: a write: ${reasonOf(error)}`];
  } finally {
    // Without a farewell, which a server that hangs never answers.
    client.connection.stream.destroy();
  }
}

async function clickhouseWrites(): Promise<string[]> {
  const table = `${clickhouse.database}.symptom_${String(process.pid)}`;
  try {
    for (const sql of [
      `CREATE TABLE IF NOT EXISTS ${table} (number UInt64) ENGINE = TinyLog`,
      `INSERT INTO ${table} SELECT number FROM system.numbers LIMIT 100000`,
      `DROP TABLE ${table}`,
    ]) {
      const response = await fetch(clickhouse.url, {
        method: 'POST',
        headers: { 'X-ClickHouse-User': clickhouse.user, 'X-ClickHouse-Key': clickhouse.password },
        body: sql,
        signal: signal(),
      });
      const text = await response.text();
      if (!response.ok) return [`clickhouse: a write: ${text.trim().slice(0, 300)}`];
    }
    return [];
  } catch (error) {
    return [`clickhouse: a write: ${reasonOfFetch(error)}`];
  }
}
