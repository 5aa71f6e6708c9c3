import { type FastifyInstance } from 'fastify';
import { DependencyError } from './errors.js';

const checkTimeoutMs = 3000;

/** Rejects, or takes longer than the timeout, when the dependency is not there. */
export type HealthCheck = () => Promise<unknown>;

/**
 * `GET /health`: 200 when every check holds, else 503, with one key per dependency: `ok`, `unavailable` or `full`.
 * `facts` are values that are reported beside them; `ready` false is also 503.
 */
export function registerHealth(
  server: FastifyInstance,
  checks: Record<string, HealthCheck>,
  facts: () => { ready: boolean; values: Record<string, unknown> } = () => ({ ready: true, values: {} }),
): void {
  server.get('/health', async (request, reply) => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => {
        try {
          await withTimeout(check());
          return [name, 'ok'] as const;
        } catch (error) {
          request.log.warn({ err: error, dependency: name }, 'dependency unavailable');
          return [name, error instanceof DependencyError ? error.state : 'unavailable'] as const;
        }
      }),
    );
    const { ready, values } = facts();
    const healthy = ready && results.every(([, state]) => state === 'ok');
    return reply
      .code(healthy ? 200 : 503)
      .send({ status: healthy ? 'ok' : 'unavailable', ...values, ...Object.fromEntries(results) });
  });
}

async function withTimeout(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${checkTimeoutMs} ms`)), checkTimeoutMs);
  });
  try {
    await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
