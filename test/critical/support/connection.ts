import { afterEach } from '@jest/globals';
import * as z from 'zod';
import { waitUntil } from '../../../engine/wait.js';
import { deadlines } from './deadlines.js';
import { workerCount, type Agent } from './backend.js';
import { environment } from './environment.js';
import { agentEventSchema, describeEvents, isEventFrame, type ReceivedEvent } from './events.js';
import { recordLatencies } from './latencies.js';
import { openSocket, type Closure, type Socket } from './sockets.js';
import type { User } from './users.js';

const replySchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready'), userId: z.uuid(), worker: z.int() }),
  z.strictObject({ type: z.literal('subscribed'), threadId: z.uuid(), lastSeq: z.int().nonnegative() }),
  z.strictObject({ type: z.literal('accepted'), threadId: z.uuid(), messageId: z.uuid(), runId: z.uuid() }),
  z.strictObject({
    type: z.literal('error'),
    error: z.string(),
    message: z.string().optional(),
    threadId: z.string().optional(),
  }),
]);
type Reply = z.infer<typeof replySchema>;
type ReplyOf<Type extends Reply['type']> = Extract<Reply, { type: Type }>;

/** Their events begin and end a run; the other agents are steps of a pipeline. */
const topAgents: ReadonlySet<string> = new Set<Agent>(['assistant', 'write-review-refine']);
const endsAgent = ({ type }: ReceivedEvent): boolean => type === 'agent_completed' || type === 'agent_failed';
const endsRun = (event: ReceivedEvent): boolean => topAgents.has(event.agent) && endsAgent(event);

const intervalMs = 10;
const attemptsElsewhere = 20;
const open = new Set<Connection>();

/** One WebSocket to the backend, and everything that came in on it in the order of its arrival. */
export class Connection {
  readonly events: ReceivedEvent[] = [];
  /** Frames that are neither an event nor a reply as documented. */
  readonly malformed: string[] = [];
  closure: Closure | undefined;
  /** The number of the worker at the other end, once authenticated. */
  worker: number | undefined;
  private readonly replies: Reply[] = [];
  /** Per thread, the last event that was history when the subscription began. */
  private readonly lastOfHistory = new Map<string, number>();

  private pongs = 0;
  private readonly socket: Socket;

  private constructor(
    /** `user 3`, for messages. */
    readonly label: string,
    url: string,
    opened: () => void,
    failed: (reason: string) => void,
  ) {
    open.add(this);
    this.socket = openSocket(url, {
      onOpen: opened,
      onError: failed,
      onFrame: (text, receivedAt) => {
        this.receive(text, receivedAt);
      },
      onPong: () => {
        this.pongs += 1;
      },
      onClosed: (closure) => {
        this.closure = closure;
        open.delete(this);
        recordLatencies(this.liveEvents());
      },
    });
  }

  /** A connection that hasn't said who it is. */
  static dial(label: string): Promise<Connection> {
    const url = environment.endpoints.backendWebSocketUrl;
    return new Promise((resolve, reject) => {
      const connection: Connection = new Connection(
        label,
        url,
        () => {
          resolve(connection);
        },
        (reason) => {
          reject(new Error(`${label}: no WebSocket at ${url}: ${reason}`));
        },
      );
    });
  }

  private receive(text: string, receivedAt: number): void {
    let frame: unknown;
    try {
      frame = JSON.parse(text);
    } catch {
      this.malformed.push(`${this.label}: a frame that isn't JSON: ${text.slice(0, 200)}`);
      return;
    }
    const event = agentEventSchema.safeParse(frame);
    if (event.success) {
      this.events.push({ ...event.data, receivedAt });
      return;
    }
    const reply = replySchema.safeParse(frame);
    if (reply.success) {
      this.replies.push(reply.data);
      return;
    }
    const { issues } = isEventFrame(frame as { type?: unknown }) ? event.error : reply.error;
    const problems = issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
    this.malformed.push(
      `${this.label}: a frame that docs/application.md doesn't have (${problems}): ${text}`,
    );
  }

  private liveEvents(): ReceivedEvent[] {
    return this.events.filter(({ threadId, seq }) => {
      const last = this.lastOfHistory.get(threadId);
      return last !== undefined && seq > last;
    });
  }

  /** Sends an object as JSON, anything else as it is. */
  send(frame: object | string | Uint8Array): void {
    this.socket.send(
      typeof frame === 'string' || frame instanceof Uint8Array ? frame : JSON.stringify(frame),
    );
  }

  /** The next frame that isn't an event, which has to be a `type`. */
  async reply<Type extends Reply['type']>(type: Type): Promise<ReplyOf<Type>> {
    const [reply] = await this.until(`a "${type}" frame`, () => this.replies.splice(0, 1), {
      predicate: (taken) => taken.length === 1,
      deadlineMs: deadlines.replyMs,
    });
    if (reply?.type !== type) {
      throw new Error(`${this.label}: expected a "${type}" frame, got ${JSON.stringify(reply)}`);
    }
    return reply as ReplyOf<Type>;
  }

  /** @returns the id of the user whom the token names. */
  async authenticate(token: string): Promise<string> {
    this.send({ type: 'authenticate', token });
    const { userId, worker } = await this.reply('ready');
    this.worker = worker;
    return userId;
  }

  /** @returns the thread's last `seq` at that moment. */
  async subscribe(threadId: string, afterSeq?: number): Promise<number> {
    this.send({ type: 'subscribe', threadId, ...(afterSeq === undefined ? {} : { afterSeq }) });
    const reply = await this.reply('subscribed');
    if (reply.threadId !== threadId) {
      throw new Error(`${this.label}: subscribed to ${threadId}, the answer names ${reply.threadId}`);
    }
    this.lastOfHistory.set(threadId, reply.lastSeq);
    return reply.lastSeq;
  }

  ofRun(runId: string): ReceivedEvent[] {
    return this.events.filter((event) => event.runId === runId);
  }

  /** Waits for an event of the run and returns what came of the run so far. */
  untilEvent(
    runId: string,
    what: string,
    isIt: (event: ReceivedEvent) => boolean,
    deadlineMs = deadlines.runMs,
  ): Promise<ReceivedEvent[]> {
    return this.until(`${what} of run ${runId}`, () => this.ofRun(runId), {
      predicate: (events) => events.some(isIt),
      deadlineMs,
    });
  }

  /** Waits for the last event of the run, which `agent` answers, and returns all of the run. */
  untilEnd(runId: string, agent = 'assistant', deadlineMs = deadlines.runMs): Promise<ReceivedEvent[]> {
    const isLast = (event: ReceivedEvent): boolean => event.agent === agent && endsAgent(event);
    return this.untilEvent(runId, 'agent_completed or agent_failed', isLast, deadlineMs);
  }

  /** Waits until `count` runs have ended, whoever started them. */
  async untilRunsEnd(count: number): Promise<void> {
    await this.until(`the end of ${String(count)} runs`, () => this.events.filter(endsRun).length, {
      predicate: (ended) => ended >= count,
      deadlineMs: deadlines.runMs,
    });
  }

  /** Waits until the connection is closed. @param when for messages. */
  async untilClosed(when = '', deadlineMs = deadlines.replyMs): Promise<Closure> {
    const closure = await waitUntil(
      () => Promise.resolve(this.closure),
      (value) => value !== undefined,
      { what: `${this.label}: the end of the connection${when}`, deadlineMs, intervalMs },
    );
    return closure as Closure;
  }

  /** Returns when everything has arrived that the server had sent before. */
  async drain(): Promise<void> {
    const before = this.pongs;
    this.socket.ping();
    await this.until('a pong', () => this.pongs, {
      predicate: (pongs) => pongs > before,
      deadlineMs: deadlines.replyMs,
    });
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.untilClosed();
  }

  private async until<T>(
    what: string,
    read: () => T,
    options: { predicate: (value: T) => boolean; deadlineMs: number },
  ): Promise<T> {
    const { predicate, deadlineMs } = options;
    try {
      return await waitUntil(
        () => {
          const value = read();
          if (this.closure !== undefined && !predicate(value)) {
            const { code, reason } = this.closure;
            throw new Error(`the connection was closed with ${String(code)} ${reason}`);
          }
          return Promise.resolve(value);
        },
        predicate,
        { what, deadlineMs, intervalMs },
      );
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const seen = `received until then: ${describeEvents(this.events)}`;
      throw new Error(`${this.label}: expected ${what}; ${reason}; ${seen}`, { cause });
    }
  }
}

/** A connection on which the user is logged in. */
export async function connect(user: User): Promise<Connection> {
  const connection = await Connection.dial(user.label);
  const userId = await connection.authenticate(user.token);
  if (userId !== user.userId) throw new Error(`${user.label}: is ${user.userId}, ready says ${userId}`);
  return connection;
}

/**
 * A connection to another worker than that of `known`. Workers get connections in turn, so it dials one for
 * each worker at once: one by one, users that dial in step with each other would meet the same worker for ever.
 * Where there is one worker only, there is no other.
 */
export async function connectElsewhere(user: User, known: Connection): Promise<Connection> {
  const workers = await workerCount();
  if (workers === 1) return connect(user);
  for (let attempt = 1; attempt <= attemptsElsewhere; attempt += 1) {
    const connections = await Promise.all(Array.from({ length: workers }, () => connect(user)));
    const elsewhere = connections.find(({ worker }) => worker !== known.worker);
    await Promise.all(
      connections.filter((connection) => connection !== elsewhere).map((connection) => connection.close()),
    );
    if (elsewhere !== undefined) return elsewhere;
  }
  throw new Error(
    `${user.label}: ${String(workers)} workers, but only worker ${String(known.worker)} answers`,
  );
}

/** Ends what a failed test left open, and so writes its latencies. */
afterEach(async () => {
  await Promise.all([...open].map((connection) => connection.close()));
});
