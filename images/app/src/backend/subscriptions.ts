import { toApiError } from '../shared/http.js';
import { type Logger } from '../shared/log.js';
import { redisAnswer, type Redis } from '../shared/redis.js';
import { type Interruption } from './primary.js';
import { parsePublished, streamKey, type EventStream, type StoredEvent } from './stores/event-stream.js';

const historyPage = 500;

interface Subscription {
  /** Sends the event if it is the next one, else fetches what is missing before it. */
  offer(event: StoredEvent): void;
  /** Sends what the history has and this subscription has not seen. */
  catchUp(): void;
  interrupt(code: string): void;
}

export interface SubscriptionHandlers {
  /** Called with the thread's newest seq before the first event is sent. */
  opened: (lastSeq: number) => void;
  send: (json: string) => void;
  /** Called with an error code when events may be missing: the subscriber has to come again. */
  interrupted: (code: string) => void;
}

interface Channel {
  subscribed: Promise<unknown>;
  subscriptions: Set<Subscription>;
}

/**
 * Hands a thread's events to the connections of this worker, each event once and in order: the channel is
 * subscribed to before the history is read, and `seq` tells what was seen.
 * @param subscriber A connection of its own: Redis allows nothing else on it.
 */
export function createSubscriptions(stream: EventStream, subscriber: Redis, logger: Logger) {
  const channels = new Map<string, Channel>();

  subscriber.on('message', (channel: string, message: string) => {
    const event = parsePublished(message);
    for (const subscription of channels.get(channel)?.subscriptions ?? []) subscription.offer(event);
  });
  // After a lost connection: what was published meanwhile is in the history.
  subscriber.on('ready', () => {
    for (const [name, channel] of channels) {
      channel.subscribed = redisAnswer(subscriber.subscribe(name));
      channel.subscribed.then(
        () => channel.subscriptions.forEach((subscription) => subscription.catchUp()),
        (error: unknown) => logger.warn({ err: error }, 'subscribing again failed'),
      );
    }
  });

  function createSubscription(
    threadId: string,
    afterSeq: number,
    { send, interrupted }: SubscriptionHandlers,
  ): Subscription {
    let seen = afterSeq;
    let newest = afterSeq;
    let reading = false;

    const deliver = ({ seq, json }: StoredEvent): void => {
      seen = seq;
      send(`{"seq":${seq},${json.slice(1)}`);
    };
    const readHistory = async (): Promise<void> => {
      let events: StoredEvent[];
      do {
        events = await stream.after(threadId, seen, historyPage);
        events.forEach(deliver);
      } while (events.length === historyPage || (events.length > 0 && seen < newest));
      reading = false;
    };
    const catchUp = (): void => {
      if (reading) return;
      reading = true;
      readHistory().catch((error: unknown) => {
        logger.error({ err: error, threadId }, 'history not readable');
        interrupted(toApiError(error).code);
      });
    };
    return {
      offer(event) {
        newest = Math.max(newest, event.seq);
        if (event.seq <= seen || reading) return;
        if (event.seq === seen + 1) deliver(event);
        else catchUp();
      },
      catchUp,
      interrupt: interrupted,
    };
  }

  return {
    /**
     * @param afterSeq Undefined: only events to come.
     * @returns A function that ends the subscription.
     */
    async open(
      threadId: string,
      afterSeq: number | undefined,
      handlers: SubscriptionHandlers,
    ): Promise<() => void> {
      const name = streamKey(threadId);
      const channel = channels.get(name) ?? {
        subscribed: redisAnswer(subscriber.subscribe(name)),
        subscriptions: new Set(),
      };
      channels.set(name, channel);
      // Holds the channel open while its confirmation is waited for.
      const placeholder: Subscription = { offer: () => {}, catchUp: () => {}, interrupt: () => {} };
      channel.subscriptions.add(placeholder);
      const leave = (subscription: Subscription): void => {
        channel.subscriptions.delete(subscription);
        if (channel.subscriptions.size > 0 || channels.get(name) !== channel) return;
        channels.delete(name);
        subscriber
          .unsubscribe(name)
          .catch((error: unknown) => logger.warn({ err: error }, 'unsubscribing failed'));
      };
      try {
        await channel.subscribed;
        const lastSeq = await stream.lastSeq(threadId);
        const subscription = createSubscription(threadId, afterSeq ?? lastSeq, handlers);
        handlers.opened(lastSeq);
        channel.subscriptions.add(subscription);
        subscription.catchUp();
        return () => leave(subscription);
      } finally {
        leave(placeholder);
      }
    },
    /** Tells this worker's subscribers of the thread. */
    interrupt({ threadId, code }: Interruption): void {
      channels
        .get(streamKey(threadId))
        ?.subscriptions.forEach((subscription) => subscription.interrupt(code));
    },
  };
}
export type Subscriptions = ReturnType<typeof createSubscriptions>;
