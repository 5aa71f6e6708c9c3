import { redisAnswer, type Redis } from './redis.js';

const key = (sid: string): string => `session:${sid}`;

/** A session outlives its token a little, so that an expired token is never taken for a revoked one. */
const graceSeconds = 60;

export function createSessions(redis: Redis) {
  return {
    async open(sid: string, userId: string, expiresAtSeconds: number): Promise<void> {
      await redisAnswer(redis.set(key(sid), userId, 'EXAT', expiresAtSeconds + graceSeconds));
    },
    async exists(sid: string): Promise<boolean> {
      return (await redisAnswer(redis.exists(key(sid)))) === 1;
    },
    async close(sid: string): Promise<void> {
      await redisAnswer(redis.del(key(sid)));
    },
  };
}
export type Sessions = ReturnType<typeof createSessions>;
