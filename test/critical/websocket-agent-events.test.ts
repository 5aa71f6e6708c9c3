import { createHmac } from 'node:crypto';
import { expect } from '@jest/globals';
import { waitUntil } from '../../engine/wait.js';
import { createThread } from './support/backend.js';
import { ask, openChat, type Chat } from './support/chat.js';
import { Connection } from './support/connection.js';
import { deadlines, testTimeoutMs } from './support/deadlines.js';
import { describeEvent } from './support/events.js';
import { latencyMs } from './support/latencies.js';
import { expectNone, problemsOfRun, problemsOfStream } from './support/order.js';
import { expectedRun } from './support/runs.js';
import { test } from './support/test.js';
import { createUsers, logIn, logOut, type User } from './support/users.js';

interface Conversation extends Chat {
  runs: { runId: string; input: string; result: number }[];
}

/** Every user asks the calculator `rounds` times, all users at once, each about numbers of its own. */
async function converse(rounds: number): Promise<Conversation[]> {
  const chats = await Promise.all((await createUsers()).map(openChat));
  const conversations = await Promise.all(
    chats.map(async (chat): Promise<Conversation> => {
      const runs: Conversation['runs'] = [];
      for (let round = 0; round < rounds; round += 1) {
        const input = `calculate ${String(chat.user.index)} * 1000 + ${String(round)}`;
        const { runId } = await ask(chat, input);
        runs.push({ runId, input, result: chat.user.index * 1000 + round });
      }
      return { ...chat, runs };
    }),
  );
  // What was sent to the wrong user, or twice, may be the last thing to arrive.
  await Promise.all(conversations.map(({ connection }) => connection.drain()));
  return conversations;
}

const expectedOf = ({ input, result }: { input: string; result: number }) =>
  expectedRun({
    input,
    calls: [{ tool: 'calculator', end: { ok: true } }],
    content: `The result is ${String(result)}.`,
  });

test(
  'each user receives the five events in order, complete, once, and no event of another user',
  async () => {
    const conversations = await converse(2);
    expectNone(
      conversations.flatMap(({ user: { label, userId }, threadId, connection, runs }) => [
        ...connection.malformed,
        ...problemsOfStream(label, connection.events, { userId, threadId }),
        ...runs.flatMap((run) => problemsOfRun(label, connection.ofRun(run.runId), expectedOf(run))),
        ...connection.events
          .filter(({ runId }) => !runs.some((run) => run.runId === runId))
          .map(
            (event) =>
              `${label}: received ${describeEvent(event)} of run ${event.runId}, which it didn't start`,
          ),
      ]),
    );
    for (const { connection } of conversations) {
      expect(new Set(connection.events.map(({ type }) => type))).toEqual(
        new Set(['agent_started', 'agent_thinking', 'tool_executing', 'tool_completed', 'agent_completed']),
      );
    }
  },
  testTimeoutMs,
);

/** The product's own limit on an event's delivery. */
const deliveryLimitMs = 100;

const median = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;

/**
 * The run's verdict judges the slowest of all deliveries (p99), which a busy machine makes slow too. Half of
 * one user's events of one type are slow only if the application is.
 */
function problemsOfDelivery({ user: { label }, connection: { events } }: Conversation): string[] {
  return [...new Set(events.map(({ type }) => type))].flatMap((type) => {
    const typical = median(events.filter((event) => event.type === type).map(latencyMs));
    if (typical < deliveryLimitMs) return [];
    const figures = `${typical.toFixed(1)} ms (median), allowed is less than ${String(deliveryLimitMs)} ms`;
    return [`${label}: the delivery of ${type} takes ${figures}`];
  });
}

test(
  'each type of event reaches each user without delay',
  async () => {
    const conversations = await converse(10);
    expectNone(conversations.flatMap(problemsOfDelivery));
  },
  testTimeoutMs,
);

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The same claims, signed by somebody who doesn't have the key. */
function forge(token: string, alg: 'HS256' | 'none'): string {
  const signed = `${base64url({ alg, typ: 'JWT' })}.${token.split('.')[1] ?? ''}`;
  const signature = createHmac('sha256', 'not the key of the service').update(signed).digest('base64url');
  return `${signed}.${alg === 'none' ? '' : signature}`;
}

/** The user's own signature under claims that name somebody else. */
function impersonate(token: string, victim: User): string {
  const [header, claims, signature] = token.split('.');
  const altered: unknown = {
    ...(JSON.parse(Buffer.from(claims ?? '', 'base64url').toString()) as object),
    sub: victim.userId,
  };
  return [header, base64url(altered), signature].join('.');
}

async function expiredToken(user: User): Promise<string> {
  const { token, expiresAt } = await logIn(user, 1);
  await waitUntil(
    () => Promise.resolve(Date.now()),
    (now) => now > Date.parse(expiresAt),
    {
      what: `${user.label}: expiry of a token of 1 s`,
      deadlineMs: deadlines.expiryMs,
      intervalMs: 50,
    },
  );
  return token;
}

async function revokedToken(user: User): Promise<string> {
  const { token } = await logIn(user);
  await logOut(token);
  return token;
}

/** What a connection that begins with `firstFrame` gets to see before the server closes it. */
async function refusalOf(user: User, what: string, firstFrame?: object): Promise<string> {
  const connection = await Connection.dial(`${user.label} with ${what}`);
  if (firstFrame !== undefined) connection.send(firstFrame);
  const { code, reason } = await connection.untilClosed();
  return `${what}: ${String(code)} ${reason}, ${String(connection.events.length)} events`;
}

test(
  'a socket without a good token is closed with the reason and gets no event',
  async () => {
    const users = await createUsers();
    const authenticate = (token: string): object => ({ type: 'authenticate', token });
    const refusals = await Promise.all(
      users.map(async (user, index) => {
        const victim = users[(index + 1) % users.length] ?? user;
        const threadId = await createThread(user);
        const [expired, revoked] = await Promise.all([expiredToken(user), revokedToken(user)]);
        return Promise.all([
          refusalOf(user, 'no token', { type: 'authenticate' }),
          refusalOf(user, 'another first frame', { type: 'subscribe', threadId }),
          refusalOf(user, 'no frame for 5 s'),
          refusalOf(user, 'something else than a token', authenticate('nonsense')),
          refusalOf(user, 'a forged signature', authenticate(forge(user.token, 'HS256'))),
          refusalOf(user, 'an unsigned token', authenticate(forge(user.token, 'none'))),
          refusalOf(user, "another user's id", authenticate(impersonate(user.token, victim))),
          refusalOf(user, 'an expired token', authenticate(expired)),
          refusalOf(user, 'a revoked token', authenticate(revoked)),
        ]);
      }),
    );
    for (const refusal of refusals) {
      expect(refusal).toEqual([
        'no token: 4401 token_missing, 0 events',
        'another first frame: 4401 token_missing, 0 events',
        'no frame for 5 s: 4401 token_missing, 0 events',
        'something else than a token: 4401 token_invalid, 0 events',
        'a forged signature: 4401 token_invalid, 0 events',
        'an unsigned token: 4401 token_invalid, 0 events',
        "another user's id: 4401 token_invalid, 0 events",
        'an expired token: 4401 token_expired, 0 events',
        'a revoked token: 4401 session_revoked, 0 events',
      ]);
    }
  },
  testTimeoutMs,
);
