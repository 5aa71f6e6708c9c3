import { Redis } from 'ioredis';
import { type Logger } from './log.js';

export type { Redis };

/** A client that reconnects by itself; commands fail after one lost connection instead of piling up. */
export function createRedis(redisUrl: string, logger: Logger): Redis {
  const redis = new Redis(redisUrl, {
    maxRetriesPerRequest: 1,
    retryStrategy: (attempt) => Math.min(attempt * 50, 1000),
    // Channels are subscribed again by the code that also fetches what was missed meanwhile.
    autoResubscribe: false,
  });
  redis.on('error', (error: Error) => logger.warn({ err: error }, 'redis connection lost'));
  return redis;
}
