import { DependencyError, type DependencyState } from '../../shared/errors.js';
import { type Logger } from '../../shared/log.js';

/** ClickHouse asks for no more than an insert a second. */
const flushIntervalMs = 1000;
const requestTimeoutMs = 5000;
const rowsPerInsert = 2000;
const maxQueuedRows = 80_000;
/** ClickHouse's NOT_ENOUGH_SPACE, or the kernel's ENOSPC. */
const noSpace = /^Code: 243\b|errno: 28\b/;

/** A row of ClickHouse's table `events`. */
export interface EventRow {
  thread_id: string;
  run_id: string;
  user_id: string;
  agent: string;
  type: string;
  seq: number;
  emitted_at_ms: number;
  /** JSON. */
  data: string;
}

export interface ClickHouseSettings {
  url: string;
  user: string;
  password: string;
  database: string;
}

/** Collapses, sooner or later, a row that was inserted twice because the first answer was lost. */
const eventsDdl = (database: string): string => `
  CREATE TABLE IF NOT EXISTS ${database}.events (
    thread_id String, run_id String, user_id String, agent String, type String,
    seq UInt64, emitted_at_ms Float64, data String
  ) ENGINE = ReplacingMergeTree() PARTITION BY tuple() ORDER BY (thread_id, seq)`;

/**
 * SQL over HTTP that releases from 18.16 on take.
 * @throws DependencyError when ClickHouse can't be reached, doesn't answer in time or has no disk space.
 */
async function query(settings: ClickHouseSettings, sql: string, body?: string): Promise<void> {
  let answer: { ok: boolean; status: number; text: string };
  try {
    answer = await send(settings, sql, body);
  } catch (cause) {
    throw new DependencyError('clickhouse', 'unavailable', { cause });
  }
  const { ok, status, text } = answer;
  if (ok) return;
  const cause = new Error(`ClickHouse answered with HTTP ${status}: ${text.slice(0, 500)}`);
  throw noSpace.test(text) ? new DependencyError('clickhouse', 'full', { cause }) : cause;
}

async function send(settings: ClickHouseSettings, sql: string, body?: string) {
  const url = new URL(settings.url);
  if (body !== undefined) url.searchParams.set('query', sql);
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'X-ClickHouse-User': settings.user, 'X-ClickHouse-Key': settings.password },
    body: body ?? sql,
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  return { ok: response.ok, status: response.status, text: await response.text() };
}

/** Rejects when ClickHouse doesn't answer. */
export async function pingClickHouse(settings: ClickHouseSettings): Promise<void> {
  await query(settings, 'SELECT 1');
}

export async function createEventTable(settings: ClickHouseSettings): Promise<void> {
  await query(settings, `CREATE DATABASE IF NOT EXISTS ${settings.database}`);
  await query(settings, eventsDdl(settings.database));
}

/** Whether ClickHouse takes rows. */
export type EventLogState = 'ok' | DependencyState;

/**
 * Collects rows and inserts them in batches, at most a second after they came. Each insert makes ClickHouse
 * write dozens of files: one event log for all workers.
 * @param onChange Called when the state has changed; it is ok at first.
 */
export function createEventLog(settings: ClickHouseSettings, logger: Logger, onChange: () => void) {
  const insertSql = `INSERT INTO ${settings.database}.events FORMAT JSONEachRow`;
  let queue: EventRow[] = [];
  let timer: NodeJS.Timeout | undefined;
  let inserting: Promise<void> | undefined;
  let state: EventLogState = 'ok';

  function enter(next: EventLogState): void {
    if (next === state) return;
    state = next;
    onChange();
  }

  async function insertQueued(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.slice(0, rowsPerInsert);
      await query(settings, insertSql, batch.map((row) => JSON.stringify(row)).join('\n'));
      queue = queue.slice(batch.length);
      enter('ok');
    }
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    inserting ??= insertQueued()
      .catch((error: unknown) => {
        enter(error instanceof DependencyError ? error.state : 'unavailable');
        logger.error({ err: error, rows: queue.length }, 'events wait for ClickHouse');
        schedule();
      })
      .finally(() => {
        inserting = undefined;
      });
    return inserting;
  }

  function schedule(): void {
    timer ??= setTimeout(() => void flush(), flushIntervalMs);
  }

  return {
    state: () => state,
    push(row: EventRow): void {
      if (queue.length >= maxQueuedRows) {
        logger.error(
          { threadId: row.thread_id, seq: row.seq },
          'event not logged: ClickHouse takes none and the queue is full',
        );
        return;
      }
      queue.push(row);
      schedule();
    },
    /** Inserts what is queued. */
    async close(): Promise<void> {
      await inserting;
      await flush();
      clearTimeout(timer);
    },
  };
}
