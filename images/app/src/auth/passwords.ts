import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';
import { promisify } from 'node:util';
import pLimit from 'p-limit';

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);
const keyBytes = 32;
/** 16 MiB and about 30 ms a hash. */
const cost = { N: 16384, r: 8, p: 1 };
/** On the thread pool a storm of logins would take every core away from the services that deliver events. */
const oneAtATime = pLimit(1);

const hashOf = (password: string, salt: Buffer): Promise<Buffer> =>
  oneAtATime(() => derive(password, salt, keyBytes, cost));

/** `scrypt$<salt>$<hash>`, both in base64. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await hashOf(password, salt);
  return `scrypt$${salt.toString('base64')}$${hash.toString('base64')}`;
}

export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const [, salt = '', expected = ''] = stored.split('$');
  const hash = await hashOf(password, Buffer.from(salt, 'base64'));
  return timingSafeEqual(hash, Buffer.from(expected, 'base64'));
}
