import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Logger } from '../shared/log.js';
import { redisAnswer, type Redis } from '../shared/redis.js';
import { type EventStream } from './stores/event-stream.js';

/** Between two pieces the worker does other users' work. */
const pieceBytes = 4 * 1024 * 1024;
const lookIntervalMs = 500;
/** A claim outlives a worker that died by this. */
const claimSeconds = 10;
const bytesPerMb = 1024 * 1024;

const claimKey = (userId: string): string => `context:${userId}`;

interface Context {
  threads: Set<string>;
  /** Outside V8's heap. It is resizable, so that it is given back at once and not when the heap is collected. */
  memory: ArrayBuffer;
}

export interface ContextSettings {
  /** Of each user's context; with 0 there are none. */
  bytes: number;
  worker: number;
}

/**
 * What agents remember of a user whom they work for: built with the user's first run and kept as long as
 * somebody follows a thread that it was needed for. The first worker that runs an agent for the user keeps it, the
 * others don't. The user's words, repeated up to the configured size, stand in for the documents and embeddings that
 * fill it elsewhere.
 */
export function createContexts(
  { bytes, worker }: ContextSettings,
  redis: Redis,
  stream: EventStream,
  logger: Logger,
) {
  const kept = new Map<string, Context>();
  let timer: NodeJS.Timeout | undefined;

  const log = (userId: string, what: string): void => {
    // What is only being filled says nothing about a user's share.
    const users = [...kept.values()].filter(({ memory }) => memory.byteLength === bytes).length;
    logger.info({ userId, users, keptMb: Math.round((users * bytes) / bytesPerMb) }, what);
  };

  async function fill(userId: string, context: Context, text: string): Promise<void> {
    const { memory } = context;
    while (memory.byteLength < bytes && kept.get(userId) === context) {
      const start = memory.byteLength;
      memory.resize(Math.min(start + pieceBytes, bytes));
      Buffer.from(memory, start).fill(text);
      await nextTurn();
    }
  }

  async function look(): Promise<void> {
    for (const [userId, { threads, memory }] of kept) {
      if (await stream.isFollowed([...threads])) {
        await redisAnswer(redis.expire(claimKey(userId), claimSeconds));
        continue;
      }
      kept.delete(userId);
      memory.resize(0);
      log(userId, 'context released');
      await redisAnswer(redis.del(claimKey(userId)));
    }
  }

  function scheduleLook(): void {
    timer ??= setTimeout(() => {
      look()
        .catch((error: unknown) => logger.warn({ err: error }, 'contexts not looked after'))
        .finally(() => {
          timer = undefined;
          if (kept.size > 0) scheduleLook();
        });
    }, lookIntervalMs);
  }

  return {
    /**
     * Has the user's context at hand for a run on the thread.
     * @param text What the user wrote.
     * @throws DependencyError when Redis can't be asked whose it is.
     */
    async keep(userId: string, threadId: string, text: string): Promise<void> {
      if (bytes === 0) return;
      const known = kept.get(userId);
      if (known !== undefined) {
        known.threads.add(threadId);
        return;
      }
      if ((await redisAnswer(redis.set(claimKey(userId), worker, 'EX', claimSeconds, 'NX'))) === null) return;
      const context: Context = {
        threads: new Set([threadId]),
        memory: new ArrayBuffer(0, { maxByteLength: bytes }),
      };
      kept.set(userId, context);
      scheduleLook();
      await fill(userId, context, text);
      log(userId, 'context kept');
    },
    close(): void {
      clearTimeout(timer);
      kept.clear();
    },
  };
}
export type Contexts = ReturnType<typeof createContexts>;
