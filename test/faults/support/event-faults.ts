import type { AgentEvent, EventType } from '../../critical/support/events.js';
import type { Delivery, Frame, FrameFault, Link } from './frames.js';

/** Which events a fault concerns. */
export type Selector = (frame: Frame) => boolean;

export const every =
  (type: EventType): Selector =>
  ({ event }) =>
    event.type === type;

/** Those selected whose number is wanted, from 1, counted over all connections. */
function counted(select: Selector, isWanted: (count: number) => boolean): Selector {
  let count = 0;
  return (frame) => {
    if (!select(frame)) return false;
    count += 1;
    return isWanted(count);
  };
}

/** Only the `n`th that is selected. */
export const nth = (n: number, select: Selector): Selector => counted(select, (count) => count === n);

/** The `first`th that is selected and every `step`th after it. */
export const everyNth = (step: number, first: number, select: Selector): Selector =>
  counted(select, (count) => count >= first && (count - first) % step === 0);

export const ofHistory =
  (select: Selector): Selector =>
  (frame) =>
    frame.isHistory && select(frame);

const otherwise =
  (select: Selector, instead: (event: AgentEvent) => Delivery[]): FrameFault =>
  (frame) =>
    select(frame) ? instead(frame.event) : [{ event: frame.event }];

export const drop = (select: Selector): FrameFault => otherwise(select, () => []);

export const duplicate = (select: Selector): FrameFault =>
  otherwise(select, (event) => [{ event }, { event }]);

export const delay = (select: Selector, delayMs: number): FrameFault =>
  otherwise(select, (event) => [{ event, delayMs }]);

export const sendToStranger = (select: Selector): FrameFault =>
  otherwise(select, (event) => [{ event, toStranger: true }]);

export const sendAlsoToStranger = (select: Selector): FrameFault =>
  otherwise(select, (event) => [{ event }, { event, toStranger: true }]);

/** @param change given a copy. */
export const alter = (select: Selector, change: (event: AgentEvent) => void): FrameFault =>
  otherwise(select, (event) => {
    const altered = structuredClone(event);
    change(altered);
    return [{ event: altered }];
  });

/** The event comes after the one that should follow it on its connection. */
export function swapWithNext(select: Selector): FrameFault {
  const held = new Map<Link, AgentEvent>();
  return (frame) => {
    const { event, link } = frame;
    const before = held.get(link);
    if (before !== undefined) {
      held.delete(link);
      return [{ event }, { event: before }];
    }
    if (!select(frame)) return [{ event }];
    held.set(link, event);
    return [];
  };
}

/** As if the events had never been emitted: what follows in their thread is numbered without them. */
export function leaveOut(select: Selector): FrameFault {
  const left = new Map<string, number>();
  return (frame) => {
    const { event } = frame;
    const missing = left.get(event.threadId) ?? 0;
    if (!select(frame)) return [{ event: { ...event, seq: event.seq - missing } }];
    left.set(event.threadId, missing + 1);
    return [];
  };
}
