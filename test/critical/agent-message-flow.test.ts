import { afterAll, expect } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { listThreads, postMessage } from './support/backend.js';
import { launchBrowser } from './support/browser.js';
import { ask, openChat, type Chat } from './support/chat.js';
import { connect } from './support/connection.js';
import { testTimeoutMs } from './support/deadlines.js';
import { environment } from './support/environment.js';
import { problemsOfList } from './support/lists.js';
import { expectNone, problemsOfRun, problemsOfStream } from './support/order.js';
import { ChatPage, type ShownMessage } from './support/page.js';
import { calculation, expectedRun } from './support/runs.js';
import { messageRows } from './support/sql.js';
import { nameMessage } from './support/stored.js';
import { beforeAll, test } from './support/test.js';
import { createUser, logIn, newAccount, type Account, type User } from './support/users.js';

let browser: Browser;
let pages: ChatPage[];

beforeAll(async () => {
  browser = await launchBrowser();
  pages = await Promise.all(
    Array.from({ length: environment.userCount }, (_, index) =>
      ChatPage.open(browser, `user ${String(index)}`),
    ),
  );
}, testTimeoutMs);
afterAll(async () => {
  await browser.close();
});

interface Ready {
  page: ChatPage;
  account: Account;
  chat: Chat;
}

/**
 * Every user gets ready on a page of their own, on which nobody is logged in; when all are, all talk at once.
 * The events' delivery is measured while they talk, and hashing passwords would weigh on it.
 */
async function everybody(
  prepare: (page: ChatPage, index: number) => Promise<Omit<Ready, 'page'>>,
  talk: (ready: Ready, index: number) => Promise<string[]>,
): Promise<void> {
  const ready = await Promise.all(
    pages.map(async (page, index) => {
      await page.forgetUser();
      return { page, ...(await prepare(page, index)) };
    }),
  );
  expectNone((await Promise.all(ready.map(talk))).flat());
}

/** A second device of the page's user, on the one thread that the page made: it sees what the page should. */
async function watch(account: Account): Promise<Chat> {
  const { token, userId } = await logIn(account);
  const user: User = { ...account, token, userId };
  const [threadId, ...others] = await listThreads(token);
  if (threadId === undefined || others.length > 0) {
    throw new Error(
      `${account.label}: expected one thread, got ${String(others.length + (threadId ? 1 : 0))}`,
    );
  }
  const connection = await connect(user);
  await connection.subscribe(threadId, 0);
  return { user, threadId, connection };
}

/** The page shows what PostgreSQL has and what a subscriber received: nothing less, nothing twice. */
async function problemsOfShown(
  page: ChatPage,
  { user: { label }, threadId, connection }: Chat,
  messages: ShownMessage[],
): Promise<string[]> {
  const rows = await messageRows(threadId);
  return [
    ...problemsOfList(label, 'PostgreSQL', rows.map(nameMessage), messages.map(nameMessage)),
    ...(await page.problemsOf(messages, connection.events)),
  ];
}

const problemsOfChat = ({ user: { label, userId }, threadId, connection }: Chat): string[] => [
  ...connection.malformed,
  ...problemsOfStream(label, connection.events, { userId, threadId }),
];

test(
  'a new user signs up, opens a thread, asks, sees the agent at work and its answer, also after a reload',
  () =>
    everybody(
      async (page, index) => {
        const account = newAccount(index);
        await page.signUp(account);
        await page.openFirstThread();
        return { account, chat: await watch(account) };
      },
      async ({ page, account, chat }, index) => {
        const expression = `${String(index)} * 100 + 1`;
        const input = `calculate ${expression}`;
        const content = `The result is ${String(index * 100 + 1)}.`;
        const calls = [calculation(expression, index * 100 + 1)];
        const messages = [
          { role: 'user', content: input },
          { role: 'assistant', content },
        ];
        await page.say(input);
        await chat.connection.untilRunsEnd(1);
        const problems = [
          ...problemsOfChat(chat),
          ...problemsOfRun(account.label, chat.connection.events, expectedRun({ input, calls, content })),
          ...(await problemsOfShown(page, chat, messages)),
        ];
        if (problems.length > 0) return problems;

        await page.reload();
        await page.untilLoggedIn(account.email);
        return problemsOfShown(page, chat, messages);
      },
    ),
  testTimeoutMs,
);

test(
  'a wrong password logs nobody in; the right one shows the conversation, a failed run and what follows it',
  () =>
    everybody(
      async (page, index) => {
        const user = await createUser(index);
        const chat = await openChat(user);
        await ask(chat, `earlier words of ${user.userId}`);
        expect(await page.failToLogIn(user)).not.toBe('');
        expect(await page.isLoggedIn()).toBe(false);
        await page.logIn(user);
        await page.openThread(0);
        return { account: user, chat };
      },
      async ({ page, chat }) => {
        const earlier = [
          { role: 'user', content: `earlier words of ${chat.user.userId}` },
          { role: 'assistant', content: `You said: earlier words of ${chat.user.userId}` },
        ];
        const problems = await problemsOfShown(page, chat, earlier);
        if (problems.length > 0) return problems;
        await page.say('[llm:error] please');
        expect(await page.runError()).not.toBe('');
        await page.say('again');
        await chat.connection.untilRunsEnd(3);
        const shown = await problemsOfShown(page, chat, [
          ...earlier,
          { role: 'user', content: '[llm:error] please' },
          { role: 'user', content: 'again' },
          { role: 'assistant', content: 'You said: again' },
        ]);
        return [...problemsOfChat(chat), ...shown];
      },
    ),
  testTimeoutMs,
);

test(
  'a page that lost its connection says so, connects again and shows what it missed, once',
  () =>
    everybody(
      async (page, index) => {
        const user = await createUser(index);
        const chat = await openChat(user);
        await page.routeWebSocket();
        await page.logIn(user);
        await page.openThread(0);
        return { account: user, chat };
      },
      async ({ page, chat }) => {
        await page.say('before');
        await chat.connection.untilRunsEnd(1);

        await page.disconnect();
        const runId = await postMessage(chat.user, chat.threadId, 'in the meantime');
        await chat.connection.untilEnd(runId);
        await page.reconnect();
        const shown = await problemsOfShown(page, chat, [
          { role: 'user', content: 'before' },
          { role: 'assistant', content: 'You said: before' },
          { role: 'user', content: 'in the meantime' },
          { role: 'assistant', content: 'You said: in the meantime' },
        ]);
        return [...problemsOfChat(chat), ...shown];
      },
    ),
  testTimeoutMs,
);
