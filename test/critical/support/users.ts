import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { environment } from './environment.js';
import { expectBody, send, type Answer } from './http.js';

export interface Account {
  /** `user 3`, for messages. */
  label: string;
  /** From 0. */
  index: number;
  email: string;
  password: string;
}

export interface User extends Account {
  userId: string;
  token: string;
}

const { authUrl } = environment.endpoints;
/** Takes the address of each account: whatever else an environment holds is not of this suite. */
const accountsFile = join(environment.resultsFolder, 'accounts.txt');
mkdirSync(environment.resultsFolder, { recursive: true });
const signedUp = z.strictObject({ userId: z.uuid() });
const loggedIn = z.strictObject({ token: z.string().min(1), userId: z.uuid(), expiresAt: z.iso.datetime() });
export type Login = z.infer<typeof loggedIn>;

/** Nobody's yet: unique over tests, suites and runs that share an environment. */
export function newAccount(index: number): Account {
  const suffix = randomBytes(6).toString('hex');
  const email = `user-${String(index)}-${suffix}@example.test`;
  appendFileSync(accountsFile, `${email}\n`);
  return {
    label: `user ${String(index)}`,
    index,
    email,
    password: `pass-${suffix}-${String(index)}`,
  };
}

export function signUp({ email, password }: Account): Promise<Answer> {
  return send('POST', `${authUrl}/signup`, { body: { email, password } });
}

/** @param ttlSeconds how long the token is good for; the service's own time by default. */
export async function logIn({ email, password }: Account, ttlSeconds?: number): Promise<Login> {
  const body = { email, password, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) };
  return expectBody(await send('POST', `${authUrl}/login`, { body }), 200, loggedIn);
}

export async function logOut(token: string): Promise<void> {
  expectBody(await send('POST', `${authUrl}/logout`, { token }), 204, z.undefined());
}

export async function createUser(index: number): Promise<User> {
  const account = newAccount(index);
  const { userId } = expectBody(await signUp(account), 201, signedUp);
  const login = await logIn(account);
  if (login.userId !== userId) {
    throw new Error(`${account.label}: signed up as ${userId}, logged in as ${login.userId}`);
  }
  return { ...account, userId, token: login.token };
}

/** REHEARSAL_USERS new users, signed up and logged in at the same time. */
export function createUsers(): Promise<User[]> {
  return Promise.all(Array.from({ length: environment.userCount }, (_, index) => createUser(index)));
}
