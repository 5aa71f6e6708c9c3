import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, type RawData } from 'ws';
import { agentEventSchema, type AgentEvent } from '../../critical/support/events.js';

/** An event on its way to a subscriber. */
export interface Frame {
  event: AgentEvent;
  /** It was emitted before the subscription that it answers. */
  isHistory: boolean;
  /** The connection it is on. */
  link: Link;
}

/** What is sent instead of a frame. */
export interface Delivery {
  event: AgentEvent;
  /** Time on the way. What comes after it on its connection waits with it. */
  delayMs?: number;
  /** On a connection of somebody else, whichever it is. */
  toStranger?: boolean;
}

/** What becomes of an event on its way. It may remember what came before. */
export type FrameFault = (frame: Frame) => Delivery[];

/** One connection between a client and the service. */
export interface Link {
  /** Once the client has said who it is. */
  userId: string | undefined;
  /** Per thread, the last event that was history when the subscription began. */
  lastOfHistory: Map<string, number>;
  /** Sends to the client after everything that was sent before. */
  deliver(send: (client: WebSocket) => void, delayMs?: number): void;
}

interface Reply {
  type?: unknown;
  userId?: string;
  threadId?: string;
  lastSeq?: number;
}

/** Codes that a peer may not send: they say how a connection ended. */
const maySend = (code: number): boolean =>
  code >= 3000 || (code >= 1000 && ![1005, 1006, 1015].includes(code));

function newLink(client: WebSocket): Link {
  let last = Promise.resolve();
  return {
    userId: undefined,
    lastOfHistory: new Map(),
    deliver(send, delayMs = 0) {
      last = last.then(async () => {
        if (delayMs > 0) await sleep(delayMs);
        if (client.readyState === WebSocket.OPEN) send(client);
      });
    },
  };
}

function note(link: Link, { type, userId, threadId, lastSeq }: Reply): void {
  if (type === 'ready') link.userId = userId;
  if (type === 'subscribed' && threadId !== undefined) link.lastOfHistory.set(threadId, lastSeq ?? 0);
}

const textOf = (data: RawData): string => (data as Buffer).toString();

/** Connects a client to the service; the service's events go through the fault. */
export function linkFrames(
  client: WebSocket,
  upstream: URL,
  links: Set<Link>,
  fault: FrameFault = ({ event }) => [{ event }],
): void {
  const link = newLink(client);
  links.add(link);
  const service = new WebSocket(upstream, { perMessageDeflate: false });
  const opened = new Promise<void>((resolve) => service.once('open', resolve));
  /** In order, because promises' callbacks are. */
  const whenOpen = (work: () => void): void => void opened.then(work);

  client.on('message', (data, isBinary) => whenOpen(() => service.send(isBinary ? data : textOf(data))));
  client.on('ping', (data) => whenOpen(() => service.ping(data)));
  client.on('close', () => {
    links.delete(link);
    service.terminate();
  });

  service.on('message', (data) => {
    const text = textOf(data);
    const content: unknown = JSON.parse(text);
    const parsed = agentEventSchema.safeParse(content);
    if (!parsed.success) {
      note(link, content as Reply);
      link.deliver((to) => to.send(text));
      return;
    }
    const event = parsed.data;
    const isHistory = event.seq <= (link.lastOfHistory.get(event.threadId) ?? 0);
    for (const delivery of fault({ event, isHistory, link })) {
      const strangers = [...links].filter(({ userId }) => userId !== undefined && userId !== event.userId);
      const receiver = delivery.toStranger === true ? strangers[0] : link;
      receiver?.deliver((to) => to.send(JSON.stringify(delivery.event)), delivery.delayMs);
    }
  });
  service.on('pong', (data) => link.deliver((to) => to.pong(data)));
  service.on('error', () => client.terminate());
  service.on('close', (code, reason) => {
    link.deliver((to) => (maySend(code) ? to.close(code, reason) : to.terminate()));
  });
}
