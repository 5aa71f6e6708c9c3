import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);
const keyBytes = 32;
/** 16 MiB and about 30 ms a hash: a sign-up storm of a test fits two cores. */
const cost = { N: 16384, r: 8, p: 1 };

/** `scrypt$<salt>$<hash>`, both in base64. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, keyBytes, cost);
  return `scrypt$${salt.toString('base64')}$${hash.toString('base64')}`;
}

export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const [, salt = '', expected = ''] = stored.split('$');
  const hash = await derive(password, Buffer.from(salt, 'base64'), keyBytes, cost);
  return timingSafeEqual(hash, Buffer.from(expected, 'base64'));
}
