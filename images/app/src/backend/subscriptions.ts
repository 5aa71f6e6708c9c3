import { type Logger } from '../shared/log.js';
import { type Redis } from '../shared/redis.js';
import { parsePublished, streamKey, type EventStream, type StoredEvent } from './stores/event-stream.js';

const historyPage = 500;

interface Subscription {
  /** Sends the event if it is the next one, else fetches what is missing before it. */
  offer(event: StoredEvent): void;
  /** Sends what the history has and this subscription has not seen. */
  catchUp(): void;
}

export interface SubscriptionHandlers {
  /** Called with the thread's newest seq before the first event is sent. */
  opened: (lastSeq: number) => void;
  send: (json: string) => void;
  /** Called when the history can't be read: the subscriber has to come again. */
  fail: (error: unknown) => void;
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
      channel.subscribed = subscriber.subscribe(name);
      channel.subscribed.then(
        () => channel.subscriptions.forEach((subscription) => subscription.catchUp()),
        (error: unknown) => logger.warn({ err: error }, 'subscribing again failed'),
      );
    }
  });

  function createSubscription(
    threadId: string,
    afterSeq: number,
    { send, fail }: SubscriptionHandlers,
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
      readHistory().catch(fail);
    };
    return {
      offer(event) {
        newest = Math.max(newest, event.seq);
        if (event.seq <= seen || reading) return;
        if (event.seq === seen + 1) deliver(event);
        else catchUp();
      },
      catchUp,
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
        subscribed: subscriber.subscribe(name),
        subscriptions: new Set(),
      };
      channels.set(name, channel);
      // Holds the channel open while its confirmation is waited for.
      const placeholder: Subscription = { offer: () => {}, catchUp: () => {} };
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
  };
}
export type Subscriptions = ReturnType<typeof createSubscriptions>;
