import { createHmac } from 'node:crypto';
import { expect } from '@jest/globals';
import * as z from 'zod';
import { waitUntil } from '../../engine/wait.js';
import { createThread, tryToListMessages } from './support/backend.js';
import { ask, openChat, type Chat } from './support/chat.js';
import { Connection } from './support/connection.js';
import { deadlines, testTimeoutMs } from './support/deadlines.js';
import { describeEvent } from './support/events.js';
import { latencyMs } from './support/latencies.js';
import { expectNone, problemsOfRun, problemsOfStream } from './support/order.js';
import { calculation, expectedRun } from './support/runs.js';
import { stalledMs } from './support/sockets.js';
import { test } from './support/test.js';
import { createUsers, logIn, logOut, type User } from './support/users.js';

const errorSchema = z.object({ error: z.string() });

interface Conversation extends Chat {
  runs: { runId: string; expression: string; result: number }[];
}

/** Every user asks the calculator `rounds` times, all users at once, each about numbers of its own. */
async function converse(rounds: number): Promise<Conversation[]> {
  const chats = await Promise.all((await createUsers()).map(openChat));
  const conversations = await Promise.all(
    chats.map(async (chat): Promise<Conversation> => {
      const runs: Conversation['runs'] = [];
      for (let round = 0; round < rounds; round += 1) {
        const expression = `${String(chat.user.index)} * 1000 + ${String(round)}`;
        const { runId } = await ask(chat, `calculate ${expression}`);
        runs.push({ runId, expression, result: chat.user.index * 1000 + round });
      }
      return { ...chat, runs };
    }),
  );
  // What was sent to the wrong user, or twice, may be the last thing to arrive.
  await Promise.all(conversations.map(({ connection }) => connection.drain()));
  return conversations;
}

const expectedOf = ({ expression, result }: { expression: string; result: number }) =>
  expectedRun({
    input: `calculate ${expression}`,
    calls: [calculation(expression, result)],
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
/** When nothing arrives for so long although there is much to send, the machine is busy. */
const standstillMs = 60;

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

/**
 * Single events that are late. A busy machine stops a worker, what lies between, or this suite as a whole. The
 * application is slow if an event took too long even without the times in which the suite's receiver stood still,
 * meanwhile events kept arriving here, and others at the same worker received some that were emitted when the late one
 * should have been there already.
 */
function problemsOfLate(conversations: readonly Conversation[]): string[] {
  const arrivals = conversations.flatMap(({ connection }) =>
    connection.events.map(({ receivedAt }) => receivedAt),
  );
  return conversations.flatMap(({ user: { label }, connection }) => {
    const others = conversations
      .filter(({ user, connection: { worker } }) => user.label !== label && worker === connection.worker)
      .flatMap(({ connection: { events } }) => events);
    return connection.events.flatMap((event) => {
      const { emittedAt, receivedAt } = event;
      if (latencyMs(event) - stalledMs(emittedAt, receivedAt) < deliveryLimitMs) return [];
      const overtook = others.filter(
        (other) => other.emittedAt > emittedAt + deliveryLimitMs && other.receivedAt < receivedAt,
      ).length;
      const meanwhile = arrivals.filter((moment) => moment >= emittedAt && moment <= receivedAt);
      if (overtook === 0 || longestGap([emittedAt, ...meanwhile]) > standstillMs) return [];
      const took = `took ${latencyMs(event).toFixed(1)} ms, allowed is less than ${String(deliveryLimitMs)} ms`;
      const proof = `${String(overtook)} events emitted later than that came before it`;
      return [`${label}: ${describeEvent(event)} ${took}, although ${proof}`];
    });
  });
}

function longestGap(moments: readonly number[]): number {
  const sorted = moments.toSorted((one, other) => one - other);
  return Math.max(...sorted.slice(1).map((moment, index) => moment - (sorted[index] ?? moment)));
}

test(
  'each type of event reaches each user without delay',
  async () => {
    const conversations = await converse(10);
    expectNone([...conversations.flatMap(problemsOfDelivery), ...problemsOfLate(conversations)]);
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

/** What the server says to a client without a good token. */
interface Refusal {
  what: string;
  token?: string;
  error: string;
}

/** What is wrong with the end of a connection that begins with this frame, or stays silent. */
async function problemsOfSocket(
  label: string,
  error: string,
  firstFrame: object | undefined,
): Promise<string[]> {
  const connection = await Connection.dial(label);
  if (firstFrame !== undefined) connection.send(firstFrame);
  const refusal = `4401 ${error}`;
  const got = await Promise.any([
    connection.untilClosed().then(({ code, reason }) => `${String(code)} ${reason}`),
    connection.reply('ready').then(({ userId }) => `it was accepted as user ${userId}`),
  ]).catch(() => 'nothing happened');
  return [
    ...(got === refusal ? [] : [`${label}: expected ${refusal}, but ${got}`]),
    ...connection.events.map((event) => `${label}: received ${describeEvent(event)}`),
  ];
}

async function problemsOfRequest(
  label: string,
  { token, error }: Refusal,
  threadId: string,
): Promise<string[]> {
  const { status, body } = await tryToListMessages({ token }, threadId);
  const got = `${String(status)} ${String(errorSchema.safeParse(body).data?.error)}`;
  return got === `401 ${error}` ? [] : [`${label} over HTTP: expected 401 ${error}, but ${got}`];
}

test(
  'who has no good token is refused with the reason, over WebSocket and HTTP, and gets no event',
  async () => {
    const users = await createUsers();
    const problems = await Promise.all(
      users.map(async (user, index) => {
        const victim = users[(index + 1) % users.length] ?? user;
        const threadId = await createThread(user);
        const [expired, revoked] = await Promise.all([expiredToken(user), revokedToken(user)]);
        const refusals: Refusal[] = [
          { what: 'no token', error: 'token_missing' },
          { what: 'nonsense for a token', token: 'nonsense', error: 'token_invalid' },
          { what: 'a forged token', token: forge(user.token, 'HS256'), error: 'token_invalid' },
          { what: 'an unsigned token', token: forge(user.token, 'none'), error: 'token_invalid' },
          { what: "another user's id", token: impersonate(user.token, victim), error: 'token_invalid' },
          { what: 'an expired token', token: expired, error: 'token_expired' },
          { what: 'a revoked token', token: revoked, error: 'session_revoked' },
        ];
        const { label } = user;
        return Promise.all([
          problemsOfSocket(`${label} with no frame for 5 s`, 'token_missing', undefined),
          problemsOfSocket(`${label} with another first frame`, 'token_missing', {
            type: 'subscribe',
            threadId,
          }),
          ...refusals.flatMap((refusal) => {
            const { what, token, error } = refusal;
            return [
              problemsOfSocket(`${label} with ${what}`, error, { type: 'authenticate', token }),
              problemsOfRequest(`${label} with ${what}`, refusal, threadId),
            ];
          }),
        ]);
      }),
    );
    expectNone(problems.flat(2));
  },
  testTimeoutMs,
);
