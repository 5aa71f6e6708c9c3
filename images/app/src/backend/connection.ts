import { type RawData, type WebSocket } from 'ws';
import * as z from 'zod';
import { ApiError } from '../shared/errors.js';
import { parse, toApiError } from '../shared/http.js';
import { type Logger } from '../shared/log.js';
import { type Caller, type VerifyToken } from '../shared/tokens.js';
import { idSchema, newMessageSchema } from './requests.js';
import { type RunService } from './run-service.js';
import { type Threads } from './stores/threads.js';
import { type Subscriptions } from './subscriptions.js';

const authenticationTimeoutMs = 5000;
const maxPendingFrames = 100;
const maxSubscriptions = 1000;
/** A client that reads more slowly than its events come is cut off, and may come back for what it missed. */
const maxUnsentBytes = 1024 * 1024;

const closeCodes = { unauthorized: 4401, policy: 1008, internal: 1011, tryAgain: 1013 };

const frameSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('authenticate'), token: z.string() }),
  z.object({ type: z.literal('subscribe'), threadId: z.string(), afterSeq: z.int().min(0).optional() }),
  z.object({ type: z.literal('message'), threadId: z.string(), ...newMessageSchema.shape }),
]);
type Frame = z.infer<typeof frameSchema>;

export interface ConnectionDependencies {
  verifyToken: VerifyToken;
  threads: Threads;
  subscriptions: Subscriptions;
  runService: RunService;
  logger: Logger;
  worker: number;
}

/** Speaks the contract's WebSocket protocol with one client. Frames are handled one after the other. */
export function openConnection(socket: WebSocket, dependencies: ConnectionDependencies): void {
  const { verifyToken, threads, subscriptions, runService, logger, worker } = dependencies;
  const endSubscription = new Map<string, () => void>();
  let caller: Caller | undefined;
  let token: string | undefined;
  let expiry = setTimeout(() => refuse('token_missing'), authenticationTimeoutMs);
  let pendingFrames = 0;
  let lastFrame = Promise.resolve();

  const isOpen = (): boolean => socket.readyState === socket.OPEN;
  const sendText = (text: string): void => {
    if (!isOpen()) return;
    if (socket.bufferedAmount > maxUnsentBytes) socket.close(closeCodes.tryAgain, 'too_slow');
    else socket.send(text);
  };
  const send = (frame: object): void => sendText(JSON.stringify(frame));
  const refuse = (code: string): void => socket.close(closeCodes.unauthorized, code);

  async function authenticate(given: string | undefined): Promise<void> {
    clearTimeout(expiry);
    const verified = await verifyToken(given);
    if (!isOpen()) return;
    caller = verified;
    token = given;
    expiry = setTimeout(() => refuse('token_expired'), verified.expiresAtMs - Date.now());
    send({ type: 'ready', userId: verified.userId, worker });
  }

  async function subscribe(
    userId: string,
    { threadId, afterSeq }: Extract<Frame, { type: 'subscribe' }>,
  ): Promise<void> {
    if (!idSchema.safeParse(threadId).success || !(await threads.belongsTo(threadId, userId))) {
      throw new ApiError(404, 'thread_not_found', 'You have no such thread.');
    }
    if (endSubscription.size >= maxSubscriptions && !endSubscription.has(threadId)) {
      throw new ApiError(
        400,
        'invalid_request',
        `A connection can subscribe to ${maxSubscriptions} threads.`,
      );
    }
    endSubscription.get(threadId)?.();
    const end = await subscriptions.open(threadId, afterSeq, {
      opened: (lastSeq) => send({ type: 'subscribed', threadId, lastSeq }),
      send: sendText,
      interrupted: (code) => socket.close(closeCodes.tryAgain, code),
    });
    if (isOpen()) endSubscription.set(threadId, end);
    else end();
  }

  async function handle(frame: Frame): Promise<void> {
    if (caller === undefined) {
      await authenticate(frame.type === 'authenticate' ? frame.token : undefined);
      return;
    }
    if (frame.type === 'authenticate')
      throw new ApiError(400, 'invalid_request', 'The connection is authenticated already.');
    // A session may have been closed since.
    const { userId } = await verifyToken(token);
    if (frame.type === 'subscribe') {
      await subscribe(userId, frame);
      return;
    }
    const { threadId, content, agent } = frame;
    if (!idSchema.safeParse(threadId).success)
      throw new ApiError(404, 'thread_not_found', 'You have no such thread.');
    send({ type: 'accepted', threadId, ...(await runService.start(userId, threadId, content, agent)) });
  }

  function answerError(error: unknown, threadId: unknown): void {
    const { status, code, message } = toApiError(error);
    if (status >= 500) logger.error({ err: error }, 'frame failed');
    if (status === 401) refuse(code);
    else if (caller === undefined && status < 500) refuse('token_missing');
    else if (caller === undefined)
      socket.close(status === 503 ? closeCodes.tryAgain : closeCodes.internal, code);
    else send({ type: 'error', error: code, message, ...(typeof threadId === 'string' ? { threadId } : {}) });
  }

  async function receive(data: RawData): Promise<void> {
    let value: unknown;
    try {
      value = readJson(data);
      if (isOpen()) await handle(parse(frameSchema, value));
    } catch (error) {
      answerError(error, threadIdOf(value));
    } finally {
      pendingFrames -= 1;
    }
  }

  socket.on('message', (data) => {
    pendingFrames += 1;
    if (pendingFrames > maxPendingFrames) socket.close(closeCodes.policy, 'too_many_frames');
    else lastFrame = lastFrame.then(() => receive(data));
  });
  socket.on('close', () => {
    clearTimeout(expiry);
    for (const end of endSubscription.values()) end();
    endSubscription.clear();
  });
  socket.on('error', (error) => logger.info({ err: error }, 'connection failed'));
}

/** ws hands frames over as one Buffer unless it is told otherwise. */
function asText(data: RawData): string {
  return (data as Buffer).toString();
}

function readJson(data: RawData): unknown {
  try {
    return JSON.parse(asText(data)) as unknown;
  } catch {
    throw new ApiError(400, 'invalid_request', 'A frame is one JSON object.');
  }
}

function threadIdOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'threadId' in value ? value.threadId : undefined;
}
