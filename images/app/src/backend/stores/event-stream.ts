import { type Result } from 'ioredis';
import { type Redis } from '../../shared/redis.js';

/** How many of a thread's events stay in its history, about. */
const keptEvents = 10_000;

/** An event of a thread's history: its JSON lacks `seq`, which Redis gives out. */
export interface StoredEvent {
  seq: number;
  json: string;
}

export const streamKey = (threadId: string): string => `events:${threadId}`;

/**
 * One step in Redis, so that what was published is always in the history too, and both are in the order of
 * `seq`: entry ids are `0-<seq>`, which Redis counts by itself and never gives out twice.
 */
const appendScript = `
  local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '0-*', 'event', ARGV[1])
  local seq = string.sub(id, 3)
  redis.call('PUBLISH', KEYS[1], seq .. ' ' .. ARGV[1])
  return seq`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    appendEvent(key: string, json: string, kept: number): Result<string, Context>;
  }
}

export function createEventStream(redis: Redis) {
  redis.defineCommand('appendEvent', { numberOfKeys: 1, lua: appendScript });

  return {
    /** Adds an event to the thread's history, tells the subscribers and returns its seq. */
    async append(threadId: string, event: object): Promise<number> {
      return Number(await redis.appendEvent(streamKey(threadId), JSON.stringify(event), keptEvents));
    },

    /** 0 for a thread without events. */
    async lastSeq(threadId: string): Promise<number> {
      const [last] = await redis.xrevrange(streamKey(threadId), '+', '-', 'COUNT', 1);
      return last === undefined ? 0 : seqOf(last[0]);
    },

    /** The first `limit` events after `seq`, in order. */
    async after(threadId: string, seq: number, limit: number): Promise<StoredEvent[]> {
      const entries = await redis.xrange(streamKey(threadId), `0-${seq + 1}`, '+', 'COUNT', limit);
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
