import * as z from 'zod';
import { port, positiveInt, readEnv, secret } from '../shared/env.js';
import { registerHealth } from '../shared/health.js';
import { createHttpServer } from '../shared/http.js';
import { createLogger } from '../shared/log.js';
import { createDatabase, migrate } from '../shared/postgres.js';
import { createRedis } from '../shared/redis.js';
import { createSessions } from '../shared/sessions.js';
import { onShutdown } from '../shared/shutdown.js';
import { createTokenVerifier } from '../shared/tokens.js';
import { registerAuthRoutes } from './routes.js';
import { createUsers, usersDdl } from './users.js';

const poolConnections = 5;

const env = readEnv(
  z.object({
    PORT: port.default(8081),
    DATABASE_URL: z.url(),
    REDIS_URL: z.url(),
    TOKEN_SECRET: secret,
    TOKEN_TTL_SECONDS: positiveInt.max(86_400).default(900),
  }),
);
const logger = createLogger('auth');
const database = createDatabase(env.DATABASE_URL, poolConnections, logger);
const redis = createRedis(env.REDIS_URL, logger);
const sessions = createSessions(redis);
const server = createHttpServer(logger);

registerHealth(server, { postgres: () => database.query('select 1'), redis: () => redis.ping() });
await registerAuthRoutes(server, {
  users: createUsers(database),
  sessions,
  verifyToken: createTokenVerifier(env.TOKEN_SECRET, sessions),
  tokenSecret: env.TOKEN_SECRET,
  tokenTtlSeconds: env.TOKEN_TTL_SECONDS,
});
onShutdown(logger, async () => {
  await server.close();
  await Promise.all([database.close(), redis.quit()]);
});
await migrate(database, usersDdl);
await server.listen({ port: env.PORT, host: '0.0.0.0' });
