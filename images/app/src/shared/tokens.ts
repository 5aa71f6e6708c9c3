import { errors, jwtVerify, SignJWT } from 'jose';
import * as z from 'zod';
import { ApiError } from './errors.js';
import { type Sessions } from './sessions.js';

const claimsSchema = z.object({
  sub: z.string().min(1),
  email: z.string(),
  sid: z.string().min(1),
  exp: z.int(),
});

export interface Caller {
  userId: string;
  email: string;
  sid: string;
  /** Milliseconds since the epoch. */
  expiresAtMs: number;
}

/** @param expiresAtSeconds Seconds since the epoch. */
export async function signToken(
  tokenSecret: string,
  claims: { userId: string; email: string; sid: string; expiresAtSeconds: number },
): Promise<string> {
  return new SignJWT({ email: claims.email, sid: claims.sid })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(claims.userId)
    .setIssuedAt()
    .setExpirationTime(claims.expiresAtSeconds)
    .sign(new TextEncoder().encode(tokenSecret));
}

/** Checks a token's signature, its expiry and that its session was not closed. */
export function createTokenVerifier(tokenSecret: string, sessions: Sessions) {
  // Given as bytes, it would be imported for every token.
  const key = crypto.subtle.importKey(
    'raw',
    new TextEncoder().encode(tokenSecret),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['verify'],
  );

  /** @throws ApiError 401 `token_missing`, `token_invalid`, `token_expired`, `session_revoked`. */
  async function verify(token: string | undefined): Promise<Caller> {
    if (!token) throw new ApiError(401, 'token_missing', 'A bearer token is needed.');
    const { sub, email, sid, exp } = await readClaims(token);
    if (!(await sessions.exists(sid))) throw new ApiError(401, 'session_revoked', 'The session was closed.');
    return { userId: sub, email, sid, expiresAtMs: exp * 1000 };
  }

  async function readClaims(token: string): Promise<z.infer<typeof claimsSchema>> {
    try {
      const { payload } = await jwtVerify(token, await key, { algorithms: ['HS256'] });
      return claimsSchema.parse(payload);
    } catch (error) {
      if (error instanceof errors.JWTExpired)
        throw new ApiError(401, 'token_expired', 'The token has expired.');
      throw new ApiError(401, 'token_invalid', 'The token is not valid.');
    }
  }

  return verify;
}
export type VerifyToken = ReturnType<typeof createTokenVerifier>;

/** The token of an `Authorization: Bearer …` header. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
}
