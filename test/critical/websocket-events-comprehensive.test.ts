import { expect } from '@jest/globals';
import { postMessage, tryToGetRun, tryToListMessages, tryToPost } from './support/backend.js';
import { ask, openChat, problemsOf } from './support/chat.js';
import { connect, connectElsewhere } from './support/connection.js';
import { deadlines, testTimeoutMs } from './support/deadlines.js';
import { describeEvent, type ReceivedEvent } from './support/events.js';
import { everybody } from './support/everybody.js';
import { problemsOfList } from './support/lists.js';
import { problemsOfStream, problemsOfRun } from './support/order.js';
import { expectedFailure, expectedRun } from './support/runs.js';
import { problemsOfRows } from './support/sql.js';
import { test } from './support/test.js';
import { createUser, logIn, type User } from './support/users.js';

/** Two subscribers of one thread got the same events in the same order. */
function problemsOfCopy(
  label: string,
  copy: readonly ReceivedEvent[],
  original: readonly ReceivedEvent[],
): string[] {
  const problems = problemsOfList(
    label,
    'what was received',
    copy.map(describeEvent),
    original.map(describeEvent),
  );
  if (problems.length > 0) return problems;
  return original.flatMap((event, index) => {
    const [one, other] = [event, copy[index]].map((of) => JSON.stringify({ ...of, receivedAt: undefined }));
    if (one === other) return [];
    return [`${label}: received ${String(other)}, where another subscriber got ${String(one)}`];
  });
}

const echo = (input: string) => expectedRun({ input, content: `You said: ${input}` });

test(
  'a subscriber gets new events only, or all from a seq on: history first, each once, in order',
  () =>
    everybody(async (user) => {
      const chat = await openChat(user);
      const { threadId, connection: early } = chat;
      await ask(chat, 'first');
      const later = await connect(user);
      const complete = await connect(user);
      const partial = await connect(user);
      const lastSeq = early.events.length;
      expect(await later.subscribe(threadId)).toBe(lastSeq);
      expect(await complete.subscribe(threadId, 0)).toBe(lastSeq);
      expect(await partial.subscribe(threadId, 2)).toBe(lastSeq);

      const { runId, events } = await ask(chat, 'second');
      await Promise.all([later, complete, partial].map((connection) => connection.untilEnd(runId)));
      await Promise.all([early, later, complete, partial].map((connection) => connection.drain()));
      return [
        ...problemsOf(chat, events, echo('second')),
        ...problemsOfCopy(`${user.label}, subscribed late`, later.events, early.events.slice(lastSeq)),
        ...problemsOfCopy(`${user.label}, from the start`, complete.events, early.events),
        ...problemsOfCopy(`${user.label}, after seq 2`, partial.events, early.events.slice(2)),
        ...[later, complete, partial].flatMap(({ malformed }) => malformed),
      ];
    }),
  testTimeoutMs,
);

test(
  'two devices of a user see the same events of several runs, numbered on without a gap',
  () =>
    everybody(async (user) => {
      const chat = await openChat(user);
      const { threadId, connection: phone } = chat;
      const laptop = await connectElsewhere(user, phone);
      await laptop.subscribe(threadId);
      const inputs = ['one', 'two', 'three'];
      const problems: string[] = [];
      for (const input of inputs) {
        const { runId, events } = await ask(chat, input);
        await laptop.untilEnd(runId);
        problems.push(...problemsOfRun(user.label, events, echo(input)));
      }
      await Promise.all([phone.drain(), laptop.drain()]);
      return [
        ...problems,
        ...problemsOfStream(user.label, phone.events, { userId: user.userId, threadId }),
        ...problemsOfCopy(`${user.label}, second device`, laptop.events, phone.events),
        ...phone.malformed,
        ...laptop.malformed,
      ];
    }),
  testTimeoutMs,
);

test(
  'a message sent on the socket starts a run like one sent over HTTP',
  () =>
    everybody(async (user) => {
      const chat = await openChat(user);
      const { threadId, connection } = chat;
      connection.send({ type: 'message', threadId, content: 'over the socket' });
      const accepted = await connection.reply('accepted');
      expect(accepted.threadId).toBe(threadId);
      const events = await connection.untilEnd(accepted.runId);
      return problemsOf(chat, events, echo('over the socket'));
    }),
  testTimeoutMs,
);

test(
  'while a run is under way its thread takes no second message, and a reconnect to another worker misses nothing',
  () =>
    everybody(async (user) => {
      const input = '[llm:hang] please';
      const chat = await openChat(user);
      const { threadId, connection: first } = chat;
      const runId = await postMessage(user, threadId, input);
      await first.untilEvent(runId, 'agent_thinking', ({ type }) => type === 'agent_thinking');
      await first.close();

      const second = await connectElsewhere(user, first);
      // As a client that had received the first event, but not yet the second.
      await second.subscribe(threadId, 1);
      expect(await tryToPost(user, threadId, 'too early')).toMatchObject({
        status: 409,
        body: { error: 'run_active' },
      });
      second.send({ type: 'message', threadId, content: 'too early' });
      expect(await second.reply('error')).toMatchObject({ error: 'run_active', threadId });

      await second.untilEnd(runId, 'assistant', deadlines.hangingRunMs);
      const received = [...first.events.slice(0, 1), ...second.events];
      const { runId: nextId, events: next } = await ask({ ...chat, connection: second }, 'now?');
      await second.drain();
      return [
        ...second.malformed,
        ...problemsOfRun(user.label, received, expectedFailure(input, 'llm_timeout')),
        ...problemsOfRun(user.label, next, echo('now?')),
        ...problemsOfStream(user.label, second.events, { userId: user.userId, threadId }, 2),
        ...second.events
          .filter((event) => event.runId !== runId && event.runId !== nextId)
          .map((event) => `${user.label}: received ${event.type} of run ${event.runId}, which was refused`),
      ];
    }),
  testTimeoutMs,
);

test(
  'a reconnect in the midst of a storm of events gets what it missed, without a gap and without doubles',
  () =>
    everybody(async (user) => {
      const chat = await openChat(user);
      const { threadId, connection: first } = chat;
      const runId = await postMessage(user, threadId, 'a note [revise:3]', 'write-review-refine');
      const seen = await first.untilEvent(runId, 'the writer', ({ agent }) => agent === 'writer');
      // What arrived with it, or arrives while it closes, is what a client that lost its connection misses:
      // on a busy machine that may be the whole run.
      const known = seen.slice(0, seen.findIndex(({ agent }) => agent === 'writer') + 1);
      await first.close();

      const second = await connectElsewhere(user, first);
      await second.subscribe(threadId, known.length);
      await second.untilEnd(runId, 'write-review-refine');
      const control = await connect(user);
      await control.subscribe(threadId, 0);
      await control.untilEnd(runId, 'write-review-refine');
      await Promise.all([second.drain(), control.drain()]);
      const owner = { userId: user.userId, threadId };
      return [
        ...[first, second, control].flatMap(({ malformed }) => malformed),
        ...problemsOfStream(`${user.label}, reconnected`, second.events, owner, known.length + 1),
        ...problemsOfCopy(`${user.label}, history`, control.events, [...known, ...second.events]),
      ];
    }),
  testTimeoutMs,
);

test(
  'a connection ends with its token, not before, and the user takes up again where it ended',
  () =>
    everybody(async (user) => {
      const chat = await openChat(user);
      const { threadId } = chat;
      const brief = await logIn(user, 3);
      const connection = await connect({ ...user, token: brief.token });
      await connection.subscribe(threadId);
      const { runId } = await ask(chat, 'before');
      await connection.untilEnd(runId);

      const closure = await connection.untilClosed(' when its token expires', deadlines.expiryMs);
      const aheadMs = Date.parse(brief.expiresAt) - closure.atMs;
      expect(closure).toMatchObject({ code: 4401, reason: 'token_expired' });
      // The two clocks are one machine's, or two that are kept in step.
      expect(aheadMs).toBeLessThan(500);

      const expired = { token: brief.token };
      for (const attempt of [tryToListMessages(expired, threadId), tryToPost(expired, threadId, 'late')]) {
        expect(await attempt).toMatchObject({ status: 401, body: { error: 'token_expired' } });
      }
      await ask(chat, 'between');
      const again = await logIn(user);
      const next = await connect({ ...user, token: again.token });
      await next.subscribe(threadId, connection.events.length);
      const { events } = await ask({ user, threadId, connection: next }, 'after');
      return [
        ...connection.malformed,
        ...problemsOfRun(user.label, events, echo('after')),
        ...problemsOfStream(user.label, [...connection.events, ...next.events], {
          userId: user.userId,
          threadId,
        }),
      ];
    }),
  testTimeoutMs,
);

test(
  'a frame that makes no sense is answered, and the connection goes on',
  () =>
    everybody(async (user) => {
      const chat = await openChat(user);
      const { threadId, connection } = chat;
      const frames = [
        'not JSON',
        '[]',
        'null',
        '"subscribe"',
        {},
        { type: 'dance' },
        { type: 'subscribe' },
        { type: 'subscribe', threadId, afterSeq: -1 },
        { type: 'subscribe', threadId, afterSeq: 'all' },
        { type: 'message', threadId },
        { type: 'message', threadId, content: '' },
        { type: 'message', threadId, content: 'hello', agent: 'nobody' },
        Buffer.from([0, 1, 2, 3]),
      ];
      for (const frame of frames) {
        connection.send(frame);
        expect(await connection.reply('error')).toMatchObject({ error: 'invalid_request' });
      }
      const { events } = await ask(chat, 'still there?');
      return problemsOf(chat, events, echo('still there?'));
    }),
  testTimeoutMs,
);

test(
  "another user's thread looks as if it did not exist, and nothing of it gets out",
  () =>
    everybody(async (user, users) => {
      const chat = await openChat(user);
      const { threadId } = chat;
      const stranger =
        users.length > 1 ? (users[(user.index + 1) % users.length] as User) : await createUser(1);
      const spy = await connect(stranger);
      const refused = { error: 'thread_not_found', threadId };
      spy.send({ type: 'subscribe', threadId });
      expect(await spy.reply('error')).toMatchObject(refused);
      spy.send({ type: 'subscribe', threadId, afterSeq: 0 });
      expect(await spy.reply('error')).toMatchObject(refused);
      spy.send({ type: 'message', threadId, content: 'let me in' });
      expect(await spy.reply('error')).toMatchObject(refused);

      const { runId, events } = await ask(chat, 'for my eyes only');
      await spy.drain();
      const notFound = (error: string) => ({ status: 404, body: { error } });
      expect(await tryToListMessages(stranger, threadId)).toMatchObject(notFound('thread_not_found'));
      expect(await tryToPost(stranger, threadId, 'let me in')).toMatchObject(notFound('thread_not_found'));
      expect(await tryToGetRun(stranger, runId)).toMatchObject(notFound('run_not_found'));
      return [
        ...spy.malformed,
        ...problemsOf(chat, events, echo('for my eyes only')),
        ...spy.events.map(({ type }) => `${stranger.label}: received ${type} of ${user.label}'s thread`),
      ];
    }),
  testTimeoutMs,
);

test(
  'the event log in ClickHouse has exactly the events that the users saw',
  () =>
    everybody(async (user) => {
      const chat = await openChat(user);
      const inputs = [`calculate ${String(user.index)} + 1`, 'hello', '[llm:error]', 'hello again'];
      for (const input of inputs) await ask(chat, input);
      await ask(chat, 'a note', { agent: 'write-review-refine' });
      const { threadId, connection } = chat;
      return [
        ...connection.malformed,
        ...problemsOfStream(user.label, connection.events, { userId: user.userId, threadId }),
        ...(await problemsOfRows(user.label, threadId, connection.events)),
      ];
    }),
  testTimeoutMs,
);
