import { Redis, ReplyError } from 'ioredis';
import { DependencyError } from './errors.js';
import { type Logger } from './log.js';

export type { Redis };

const answerTimeoutMs = 3000;
const heartbeatMs = 5000;

/**
 * A client that reconnects by itself. A command fails with the connection that it was sent on: sent again, it
 * might be done twice.
 */
export function createRedis(redisUrl: string, logger: Logger): Redis {
  const redis = new Redis(redisUrl, {
    connectTimeout: answerTimeoutMs,
    commandTimeout: answerTimeoutMs,
    socketTimeout: answerTimeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(attempt * 50, 1000),
    // Channels are subscribed again by the code that also fetches what was missed meanwhile.
    autoResubscribe: false,
  });
  redis.on('error', (error: Error) => logger.warn({ err: error }, 'redis connection lost'));
  // A connection that is used seldom, or only listens, wouldn't notice that its other end is gone.
  setInterval(() => void redis.ping().catch(() => undefined), heartbeatMs).unref();
  return redis;
}

/** @throws DependencyError in place of what says that Redis can't be reached, or takes no more data. */
export async function redisAnswer<T>(command: Promise<T>): Promise<T> {
  try {
    return await command;
  } catch (error) {
    throw toDependencyError(error);
  }
}

function toDependencyError(error: unknown): unknown {
  if (!(error instanceof ReplyError)) return new DependencyError('redis', 'unavailable', { cause: error });
  // The first word of a reply is Redis's error code. MISCONF: it can't save its data, usually for want of disk.
  const [code] = (error as Error).message.split(' ');
  if (code === 'OOM' || code === 'MISCONF') return new DependencyError('redis', 'full', { cause: error });
  if (code === 'LOADING') return new DependencyError('redis', 'unavailable', { cause: error });
  return error;
}
