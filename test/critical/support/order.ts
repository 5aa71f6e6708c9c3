import { isDeepStrictEqual } from 'node:util';
import { describeEvent, type AgentEvent, type EventType } from './events.js';

export interface ExpectedEvent {
  type: EventType;
  agent: string;
  /** Keys of the event's data whose values are known beforehand. */
  data?: Record<string, unknown>;
}

/**
 * What is wrong with a stream of events as one subscriber received it: another's events, an event lost,
 * doubled or out of order. One sentence each.
 * @param label the subscriber, `user 3`
 * @param firstSeq the first event that was to come
 */
export function problemsOfStream(
  label: string,
  events: readonly AgentEvent[],
  owner: { userId: string; threadId: string },
  firstSeq = 1,
): string[] {
  const isOwn = ({ userId, threadId }: AgentEvent): boolean =>
    userId === owner.userId && threadId === owner.threadId;
  const problems = events
    .filter((event) => !isOwn(event))
    .map((event) => {
      const of = `user ${event.userId}, thread ${event.threadId}`;
      return `${label}: received ${describeEvent(event)} of another's thread (${of})`;
    });
  const own = events.filter(isOwn);
  const seen = new Map<number, AgentEvent>();
  let highest = firstSeq - 1;
  for (const event of own) {
    const { seq } = event;
    if (seen.has(seq)) problems.push(`${label}: received ${describeEvent(event)} twice`);
    else if (seq < firstSeq) {
      problems.push(
        `${label}: received ${describeEvent(event)}, although it asked for seq ${String(firstSeq)} on`,
      );
    } else if (seq < highest) {
      const later = seen.get(highest);
      const before = later === undefined ? String(highest) : describeEvent(later);
      problems.push(`${label}: received ${before} before ${describeEvent(event)}: out of order`);
    }
    seen.set(seq, event);
    highest = Math.max(highest, seq);
  }
  for (let seq = firstSeq; seq < highest; seq += 1) {
    if (seen.has(seq)) continue;
    const before = seen.get(seq - 1);
    const after = before === undefined ? '' : ` after ${describeEvent(before)}`;
    problems.push(`${label}: seq ${String(seq)} was never received${after}`);
  }
  return problems;
}

/**
 * Compares one run's events with what they should have been. The first event of a wrong type ends the
 * comparison, since whatever follows it is shifted.
 */
export function problemsOfRun(
  label: string,
  events: readonly AgentEvent[],
  expected: readonly ExpectedEvent[],
): string[] {
  const problems: string[] = [];
  let previous: AgentEvent | undefined;
  for (let index = 0; index < Math.max(events.length, expected.length); index += 1) {
    const event = events[index];
    const wanted = expected[index];
    if (event?.type !== wanted?.type || event?.agent !== wanted?.agent) {
      const what = wanted === undefined ? 'nothing more' : describeExpected(wanted);
      const after = previous === undefined ? 'first' : `after ${describeEvent(previous)}`;
      const got = event === undefined ? 'nothing' : `${describeEvent(event)} of ${event.agent}`;
      problems.push(`${label}: expected ${what} ${after}, got ${got}`);
      break;
    }
    if (event === undefined) break;
    problems.push(
      ...problemsOfData(label, event, wanted?.data ?? {}),
      ...problemsOfCall(label, event, previous),
    );
    previous = event;
  }
  return problems;
}

/** A hand-over is told apart by who hands over to whom. */
function describeExpected({ type, agent, data }: ExpectedEvent): string {
  const details = type === 'agent_handoff' ? ` ${JSON.stringify(data)}` : '';
  return `${type} of ${agent}${details}`;
}

function problemsOfData(label: string, event: AgentEvent, expected: Record<string, unknown>): string[] {
  const data: Record<string, unknown> = event.data;
  return Object.entries(expected)
    .filter(([key, value]) => !isDeepStrictEqual(data[key], value))
    .map(([key, value]) => {
      const [wanted, seen] = [JSON.stringify(value), JSON.stringify(data[key])];
      return `${label}: ${describeEvent(event)}: expected ${key} ${wanted}, got ${seen}`;
    });
}

/** A tool call's end names the call that began just before. */
function problemsOfCall(label: string, event: AgentEvent, previous: AgentEvent | undefined): string[] {
  if (event.type !== 'tool_completed' || previous?.type !== 'tool_executing') return [];
  if (event.data.callId === previous.data.callId && event.data.tool === previous.data.tool) return [];
  const begun = `${previous.data.tool} ${previous.data.callId}`;
  const ended = `${event.data.tool} ${event.data.callId}`;
  return [`${label}: ${describeEvent(event)}: expected the end of call ${begun}, got the end of ${ended}`];
}

/** @throws Error with the problems of all users, so that one report shows how far a fault reaches. */
export function expectNone(problems: readonly string[]): void {
  if (problems.length === 0) return;
  const shown = problems.slice(0, 20);
  const more = problems.length > shown.length ? [`… and ${String(problems.length - shown.length)} more`] : [];
  throw new Error([...shown, ...more].join('\n'));
}
