import type { Browser, Page, WebSocketRoute } from 'playwright-core';
import { DeadlineExceededError, waitUntil } from '../../../engine/wait.js';
import { openPage } from './browser.js';
import { deadlines } from './deadlines.js';
import { environment } from './environment.js';
import { problemsOfList } from './lists.js';
import { nameMessage } from './stored.js';
import type { Account } from './users.js';

export interface ShownMessage {
  role: string;
  content: string;
}
export interface ShownEvent {
  type: string;
  seq: number;
}

const nameEvent = ({ type, seq }: ShownEvent): string => `${type} (seq ${String(seq)})`;

/** The part of the DOM that is read inside the page. */
interface Item {
  getAttribute(name: string): string | null;
  textContent: string | null;
  querySelector(selectors: string): Item | null;
}

/** A look at the page costs the browser some milliseconds, times as many as there are pages. */
const intervalMs = 250;
/** Any code but those with which the backend itself ends a connection. */
const cutCode = 4000;

/** The chat page as its user sees it, by its `data-testid`s. */
export class ChatPage {
  private constructor(
    /** `user 3`, for messages. */
    private readonly label: string,
    private readonly page: Page,
    private isCut = false,
    private readonly routes = new Set<WebSocketRoute>(),
  ) {}

  static async open(browser: Browser, label: string): Promise<ChatPage> {
    const chatPage = new ChatPage(label, await openPage(browser));
    await chatPage.visit();
    return chatPage;
  }

  private async visit(): Promise<void> {
    await this.page.goto(environment.endpoints.frontendUrl);
  }

  /** As if nobody had ever used the page. Far cheaper than a new one, which takes a process of its own. */
  async forgetUser(): Promise<void> {
    await this.page.context().clearCookies();
    await this.page.evaluate('localStorage.clear(); sessionStorage.clear()');
    await this.visit();
  }

  async reload(): Promise<void> {
    await this.page.reload();
  }

  private async submit(button: 'signup' | 'login', email: string, password: string): Promise<void> {
    await this.page.getByTestId('email').fill(email);
    await this.page.getByTestId('password').fill(password);
    await this.page.getByTestId(button).click();
  }

  async signUp({ email, password }: Account): Promise<void> {
    await this.submit('signup', email, password);
    await this.untilLoggedIn(email);
  }

  async logIn({ email, password }: Account): Promise<void> {
    await this.submit('login', email, password);
    await this.untilLoggedIn(email);
  }

  /** Logs in with a password that is wrong. @returns what the page says about it. */
  async failToLogIn({ email }: Account): Promise<string> {
    await this.submit('login', email, 'not the password');
    return this.until(
      'a login error',
      async () => (await this.page.getByTestId('login-error').textContent()) ?? '',
      (text) => text.trim() !== '',
    );
  }

  isLoggedIn(): Promise<boolean> {
    return this.page.getByTestId('user').isVisible();
  }

  async untilLoggedIn(email: string): Promise<void> {
    const user = this.page.getByTestId('user');
    await this.until(
      'the e-mail address of the user',
      async () => (await user.textContent())?.trim(),
      (shown) => shown === email,
    );
    await this.untilConnection('connected');
  }

  private async untilConnection(state: 'connected' | 'reconnecting'): Promise<void> {
    const connection = this.page.getByTestId('connection');
    await this.until(
      `connection ${state}`,
      () => connection.getAttribute('data-state'),
      (shown) => shown === state,
    );
  }

  /** Makes a thread and waits until the list shows it, as the only one. */
  async openFirstThread(): Promise<void> {
    await this.page.getByTestId('new-thread').click();
    await this.until(
      'one thread in the list',
      () => this.page.getByTestId('thread').count(),
      (count) => count === 1,
    );
  }

  async openThread(index: number): Promise<void> {
    await this.page.getByTestId('thread').nth(index).click();
  }

  /** Puts a switch between the page and the WebSocket server. Call it before the page connects. */
  async routeWebSocket(): Promise<void> {
    await this.page.routeWebSocket(/\/ws$/, (route) => {
      if (this.isCut) {
        void route.close({ code: cutCode });
        return;
      }
      this.routes.add(route);
      route.connectToServer();
    });
  }

  /** Ends the page's connection, and every new one until `reconnect`. */
  async disconnect(): Promise<void> {
    this.isCut = true;
    await Promise.all([...this.routes].map((route) => route.close({ code: cutCode })));
    this.routes.clear();
    await this.untilConnection('reconnecting');
  }

  async reconnect(): Promise<void> {
    this.isCut = false;
    await this.untilConnection('connected');
  }

  async say(content: string): Promise<void> {
    await this.page.getByTestId('message').fill(content);
    await this.page.getByTestId('send').click();
  }

  runError(): Promise<string> {
    return this.until(
      'a run error',
      async () => (await this.page.getByTestId('run-error').textContent()) ?? '',
      (text) => text.trim() !== '',
    );
  }

  private messages(): Promise<ShownMessage[]> {
    return this.page
      .getByTestId('messages')
      .locator('[data-testid^="message-"]')
      .evaluateAll((items: Item[]) =>
        items.map((item) => ({
          role: (item.getAttribute('data-testid') ?? '').replace('message-', ''),
          // Beside its text, an item says who wrote it and when.
          content: item.querySelector('p')?.textContent ?? '',
        })),
      );
  }

  private events(): Promise<ShownEvent[]> {
    return this.page.getByTestId('event').evaluateAll((items: Item[]) =>
      items.map((item) => ({
        type: item.getAttribute('data-type') ?? '',
        seq: Number(item.getAttribute('data-seq')),
      })),
    );
  }

  /** How what the page shows differs from what is to be seen, once it had the time to show it. */
  async problemsOf(messages: readonly ShownMessage[], events: readonly ShownEvent[]): Promise<string[]> {
    const [namedMessages, namedEvents] = [messages.map(nameMessage), events.map(nameEvent)];
    let problems: string[] = [];
    try {
      await waitUntil(
        async () => {
          problems = [
            ...problemsOfList(
              this.label,
              'the page',
              (await this.messages()).map(nameMessage),
              namedMessages,
            ),
            ...problemsOfList(this.label, 'the page', (await this.events()).map(nameEvent), namedEvents),
          ];
          return problems.length;
        },
        (count) => count === 0,
        { what: `${this.label}: the page is complete`, deadlineMs: deadlines.shownMs, intervalMs },
      );
    } catch (error) {
      if (!(error instanceof DeadlineExceededError)) throw error;
    }
    return problems;
  }

  private async until<T>(
    what: string,
    probe: () => Promise<T>,
    predicate: (value: T) => boolean,
  ): Promise<T> {
    try {
      return await waitUntil(probe, predicate, { what, deadlineMs: deadlines.pageMs, intervalMs });
    } catch (cause) {
      const shown = cause instanceof DeadlineExceededError ? JSON.stringify(cause.lastSeen) : String(cause);
      const whole = await this.page.innerText('body').catch(String);
      throw new Error(
        `${this.label}: expected the page to show ${what}, it showed ${shown}; the whole page: ${JSON.stringify(whole)}`,
        { cause },
      );
    }
  }
}
