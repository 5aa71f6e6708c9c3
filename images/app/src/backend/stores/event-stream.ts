import { type Result } from 'ioredis';
import { redisAnswer, type Redis } from '../../shared/redis.js';

/** How many of a thread's events stay in its history, about. */
const keptEvents = 10_000;

/** An event of a thread's history: its JSON lacks `seq`, which Redis gives out. */
export interface StoredEvent {
  seq: number;
  json: string;
}

/** How long a thread's history outlives its last event. Kept for ever, histories would fill Redis. */
const keptSeconds = 3_600;

export const streamKey = (threadId: string): string => `events:${threadId}`;
/** Written to find out whether there is room. */
const probeKey = 'probe';
const counterKey = (threadId: string): string => `seq:${threadId}`;

/**
 * One step in Redis, so that what was published is always in the history too, and both are in the order of
 * `seq`. The counter outlives the history: a thread's numbers never start again.
 */
const appendScript = `
  local seq = redis.call('INCR', KEYS[2])
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '0-' .. seq, 'event', ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[3])
  redis.call('PUBLISH', KEYS[1], seq .. ' ' .. ARGV[1])
  return seq`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    appendEvent(
      stream: string,
      counter: string,
      json: string,
      keptEvents: number,
      keptSeconds: number,
    ): Result<number, Context>;
  }
}

export function createEventStream(redis: Redis) {
  redis.defineCommand('appendEvent', { numberOfKeys: 2, lua: appendScript });

  return {
    /** @throws DependencyError while Redis takes no events. */
    async assertWritable(): Promise<void> {
      await redisAnswer(redis.set(probeKey, ''));
    },

    /** Adds an event to the thread's history, tells the subscribers and returns its seq. */
    append(threadId: string, event: object): Promise<number> {
      const keys = [streamKey(threadId), counterKey(threadId)] as const;
      return redisAnswer(redis.appendEvent(...keys, JSON.stringify(event), keptEvents, keptSeconds));
    },

    /** 0 for a thread without events. */
    async lastSeq(threadId: string): Promise<number> {
      return Number((await redisAnswer(redis.get(counterKey(threadId)))) ?? 0);
    },

    /** Whether any worker has subscribers of one of the threads. */
    async isFollowed(threadIds: readonly string[]): Promise<boolean> {
      const counts = await redisAnswer(redis.pubsub('NUMSUB', ...threadIds.map(streamKey)));
      return counts.some((count) => typeof count === 'number' && count > 0);
    },

    /** The first `limit` events after `seq`, in order. */
    async after(threadId: string, seq: number, limit: number): Promise<StoredEvent[]> {
      const entries = await redisAnswer(
        redis.xrange(streamKey(threadId), `0-${seq + 1}`, '+', 'COUNT', limit),
      );
      return entries.map(([id, fields]) => ({ seq: seqOf(id), json: fields[1] ?? '{}' }));
    },
  };
}
export type EventStream = ReturnType<typeof createEventStream>;

/** @param message What `append` published. */
export function parsePublished(message: string): StoredEvent {
  const space = message.indexOf(' ');
  return { seq: Number(message.slice(0, space)), json: message.slice(space + 1) };
}

function seqOf(entryId: string): number {
  return Number(entryId.slice(entryId.indexOf('-') + 1));
}
