import * as z from 'zod';
import { port, positiveInt, readEnv, secret } from '../shared/env.js';

export function readSettings() {
  return readEnv(
    z.object({
      PORT: port.default(8080),
      DATABASE_URL: z.url(),
      REDIS_URL: z.url(),
      CLICKHOUSE_URL: z.url(),
      CLICKHOUSE_USER: z.string().min(1),
      CLICKHOUSE_PASSWORD: z.string(),
      CLICKHOUSE_DATABASE: z.string().regex(/^[A-Za-z_]\w*$/),
      TOKEN_SECRET: secret,
      LLM_BASE_URL: z.url(),
      LLM_MODEL: z.string().min(1),
      LLM_API_KEY: z.string().default(''),
      LLM_TIMEOUT_MS: positiveInt.default(10_000),
      AGENT_MAX_STEPS: positiveInt.default(6),
      AGENT_MAX_REVISIONS: z.coerce.number().int().min(0).default(3),
      AGENT_CONTEXT_BYTES: z.coerce.number().int().min(0).default(0),
      WEB_CONCURRENCY: positiveInt.default(1),
    }),
  );
}
export type Settings = ReturnType<typeof readSettings>;

export function clickhouseOf(settings: Settings) {
  return {
    url: settings.CLICKHOUSE_URL,
    user: settings.CLICKHOUSE_USER,
    password: settings.CLICKHOUSE_PASSWORD,
    database: settings.CLICKHOUSE_DATABASE,
  };
}
