import { randomUUID } from 'node:crypto';
import { type FastifyInstance } from 'fastify';
import * as z from 'zod';
import { ApiError } from '../shared/errors.js';
import { parse } from '../shared/http.js';
import { type Sessions } from '../shared/sessions.js';
import { bearerToken, signToken, type VerifyToken } from '../shared/tokens.js';
import { hashPassword, verifyPassword } from './passwords.js';
import { type Users } from './users.js';

const email = z
  .email()
  .max(254)
  .transform((address) => address.toLowerCase());

export interface AuthDependencies {
  users: Users;
  sessions: Sessions;
  verifyToken: VerifyToken;
  tokenSecret: string;
  tokenTtlSeconds: number;
}

export async function registerAuthRoutes(
  server: FastifyInstance,
  { users, sessions, verifyToken, tokenSecret, tokenTtlSeconds }: AuthDependencies,
): Promise<void> {
  const signupSchema = z.object({ email, password: z.string().min(8).max(200) });
  const loginSchema = z.object({
    email,
    password: z.string().max(200),
    ttlSeconds: z.int().min(1).max(tokenTtlSeconds).default(tokenTtlSeconds),
  });
  // Compared when there is no such user, so that the answer's time doesn't tell which addresses exist.
  const nobodysHash = await hashPassword(randomUUID());

  server.post('/signup', async (request, reply) => {
    const { email, password } = parse(signupSchema, request.body);
    const userId = await users.add(email, await hashPassword(password));
    if (userId === undefined) throw new ApiError(409, 'email_taken', 'This address has an account already.');
    return reply.code(201).send({ userId });
  });

  server.post('/login', async (request) => {
    const { email, password, ttlSeconds } = parse(loginSchema, request.body);
    const user = await users.findByEmail(email);
    const matches = await verifyPassword(password, user?.passwordHash ?? nobodysHash);
    if (user === undefined || !matches) {
      throw new ApiError(401, 'bad_credentials', 'The address or the password is wrong.');
    }
    const sid = randomUUID();
    // Tokens expire at whole seconds: rounded up, so that none lives shorter than asked for.
    const expiresAtSeconds = Math.ceil(Date.now() / 1000) + ttlSeconds;
    await sessions.open(sid, user.id, expiresAtSeconds);
    const token = await signToken(tokenSecret, { userId: user.id, email, sid, expiresAtSeconds });
    return { token, userId: user.id, expiresAt: new Date(expiresAtSeconds * 1000).toISOString() };
  });

  server.get('/verify', async (request) => {
    const caller = await verifyToken(bearerToken(request.headers.authorization));
    return {
      userId: caller.userId,
      email: caller.email,
      expiresAt: new Date(caller.expiresAtMs).toISOString(),
    };
  });

  server.post('/logout', async (request, reply) => {
    const caller = await verifyToken(bearerToken(request.headers.authorization));
    await sessions.close(caller.sid);
    return reply.code(204).send();
  });
}
