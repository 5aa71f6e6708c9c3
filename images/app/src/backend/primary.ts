import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { createLogger } from '../shared/log.js';
import { createDatabase, migrate } from '../shared/postgres.js';
import { onShutdown } from '../shared/shutdown.js';
import { clickhouseOf, type Settings } from './settings.js';
import { createEventLog, createEventTable, type EventLogState, type EventRow } from './stores/event-log.js';
import { appDdl } from './stores/schema.js';

/** The thread's subscribers can't be told by an event what became of its run; `code` is an error code. */
export interface Interruption {
  threadId: string;
  code: string;
}

/** The primary tells all workers: Redis, their other way, may be what failed. */
interface InterruptionMessage {
  interruption: Interruption;
}

/** What a worker tells the primary, which has the event log. */
export type WorkerMessage = InterruptionMessage | { row: EventRow };

/** What the primary tells its workers. */
export type PrimaryMessage = { listening: number; eventLog: EventLogState } | InterruptionMessage;

/**
 * Creates the schemas, starts the workers and replaces one that dies. A worker that dies before it listened
 * would die again: then the whole service ends.
 */
export async function startPrimary(settings: Settings): Promise<void> {
  const logger = createLogger('backend', { worker: 0 });
  const listening = new Set<Worker>();
  let stopping = false;

  const tellWorkers = (message: PrimaryMessage): void => {
    // One that has just died hears nothing; its exit is handled.
    for (const worker of listening) worker.send(message, () => undefined);
  };
  const announce = (): void => tellWorkers({ listening: listening.size, eventLog: eventLog.state() });
  const eventLog = createEventLog(clickhouseOf(settings), logger, announce);
  const fork = (number: number): void => {
    const worker = cluster.fork({ WORKER_NUMBER: String(number) });
    worker.once('listening', () => {
      listening.add(worker);
      announce();
    });
    worker.on('message', (message: WorkerMessage) => {
      if ('row' in message) eventLog.push(message.row);
      else tellWorkers(message);
    });
    worker.once('exit', (code, signal) => {
      const listened = listening.delete(worker);
      if (stopping) return;
      logger.error({ number, code, signal }, 'worker died');
      if (!listened) process.exit(1);
      announce();
      fork(number);
    });
  };

  onShutdown(logger, async () => {
    stopping = true;
    await Promise.all(
      Object.values(cluster.workers ?? {}).map(async (worker) => {
        if (worker === undefined || worker.isDead()) return;
        const exited = once(worker, 'exit');
        worker.process.kill('SIGTERM');
        await exited;
      }),
    );
    await eventLog.close();
  });

  const database = createDatabase(settings.DATABASE_URL, 1, logger);
  await Promise.all([migrate(database, appDdl), createEventTable(clickhouseOf(settings))]);
  await database.close();
  for (let number = 1; number <= settings.WEB_CONCURRENCY; number += 1) fork(number);
  logger.info({ workers: settings.WEB_CONCURRENCY, port: settings.PORT }, 'started');
}
