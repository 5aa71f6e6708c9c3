import { DependencyError } from '../shared/errors.js';
import { registerHealth } from '../shared/health.js';
import { createHttpServer } from '../shared/http.js';
import { createLogger } from '../shared/log.js';
import { createDatabase } from '../shared/postgres.js';
import { createRedis } from '../shared/redis.js';
import { createSessions } from '../shared/sessions.js';
import { onShutdown } from '../shared/shutdown.js';
import { createTokenVerifier } from '../shared/tokens.js';
import { createContexts } from './contexts.js';
import { createLlmClient } from './engine/llm-client.js';
import { type Interruption, type PrimaryMessage, type WorkerMessage } from './primary.js';
import { registerRoutes } from './routes.js';
import { createRunService } from './run-service.js';
import { clickhouseOf, type Settings } from './settings.js';
import { pingClickHouse, type EventLogState } from './stores/event-log.js';
import { createEventStream } from './stores/event-stream.js';
import { createRuns } from './stores/runs.js';
import { createThreads } from './stores/threads.js';
import { createSubscriptions } from './subscriptions.js';
import { serveWebSockets } from './websocket.js';

const poolConnections = 5;

/** @param worker From 1 to `WEB_CONCURRENCY`; a replacement has the number of the worker that died. */
export async function startWorker(settings: Settings, worker: number): Promise<void> {
  const logger = createLogger('backend', { worker });
  const database = createDatabase(settings.DATABASE_URL, poolConnections, logger);
  const redis = createRedis(settings.REDIS_URL, logger);
  const subscriber = createRedis(settings.REDIS_URL, logger);
  const stream = createEventStream(redis);
  const threads = createThreads(database);
  const runs = createRuns(database);
  const verifyToken = createTokenVerifier(settings.TOKEN_SECRET, createSessions(redis));
  const llm = createLlmClient({
    baseUrl: settings.LLM_BASE_URL,
    model: settings.LLM_MODEL,
    apiKey: settings.LLM_API_KEY,
    timeoutMs: settings.LLM_TIMEOUT_MS,
  });
  const subscriptions = createSubscriptions(stream, subscriber, logger);
  let lastMessage: Promise<void> = Promise.resolve();
  const tellPrimary = (message: WorkerMessage): void => {
    lastMessage = new Promise((told) => process.send?.(message, () => told()));
  };
  const contexts = createContexts({ bytes: settings.AGENT_CONTEXT_BYTES, worker }, redis, stream, logger);
  const runService = createRunService({
    runs,
    threads,
    contexts,
    stream,
    logEvent: (row) => tellPrimary({ row }),
    llm,
    interrupt: (interruption: Interruption) => tellPrimary({ interruption }),
    logger,
    worker,
    maxSteps: settings.AGENT_MAX_STEPS,
    maxRevisions: settings.AGENT_MAX_REVISIONS,
  });

  let workers = 0;
  let eventLog: EventLogState = 'ok';
  process.on('message', (message: PrimaryMessage) => {
    if ('listening' in message) ({ listening: workers, eventLog } = message);
    else subscriptions.interrupt(message.interruption);
  });

  const checks = {
    postgres: () => database.query('select 1'),
    redis: () => Promise.all([redis.ping(), subscriber.ping()]),
    clickhouse: async () => {
      await pingClickHouse(clickhouseOf(settings));
      if (eventLog !== 'ok') throw new DependencyError('clickhouse', eventLog);
    },
    llm: () => llm.ping(),
  };
  const server = createHttpServer(logger);
  registerHealth(server, checks, () => ({
    ready: workers === settings.WEB_CONCURRENCY,
    values: { workers },
  }));
  registerRoutes(server, { threads, runs, runService, verifyToken });
  const webSockets = serveWebSockets(server.server, {
    verifyToken,
    threads,
    subscriptions,
    runService,
    logger,
    worker,
  });

  onShutdown(logger, async () => {
    await runService.stop();
    contexts.close();
    webSockets.close();
    await Promise.all([server.close(), lastMessage]);
    await Promise.all([database.close(), redis.quit(), subscriber.quit()]);
  });

  await runService.recover();
  // Connects to everything before the first request, which would pay for it; what isn't there is told by /health.
  await Promise.allSettled(Object.values(checks).map((check) => check()));
  await server.listen({ port: settings.PORT, host: '0.0.0.0' });
}
