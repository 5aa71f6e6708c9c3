import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import * as z from 'zod';
import { labelKeys } from '../components/labels.js';
import { lateOom } from '../engine/oom-kill.js';
import { withDeadline } from './deadline.js';
import type { Scope } from './docker.js';
import { parseJson } from './json.js';
import { describeEvent, endsSuite, endsUnexplained, evidenceOf, type ContainerEvent } from './oom.js';
import type { Fault } from './report/record.js';

export interface EventWatch {
  /** Aborts at the first event after which the environment isn't one any more; the reason is an `EnvironmentFault`. */
  readonly fault: AbortSignal;
  /** Tells of each event from now on, as it comes. */
  onEvent(listener: (event: ContainerEvent) => void): void;
  /** Resolves when it is clear of each event so far whether it counts. */
  settled(): Promise<void>;
  /** Ends the watch, as soon as the engine has told what it knows of the ends that it told. */
  stop(): Promise<Watched>;
}

interface Watched {
  events: ContainerEvent[];
  /** The services whose creation was seen. */
  seen: string[];
  /** Why events may be missing. */
  brokenOff?: string;
}

export class EnvironmentFault extends Error {
  override readonly name = 'EnvironmentFault';
  constructor(readonly event: ContainerEvent) {
    super(describeEvent(event));
  }
}

/** The event that ended what the environment was for, if one did, `nowMs` being the end. */
export function faultOf(watch: EventWatch | undefined, nowMs: number): Fault | undefined {
  const reason: unknown = watch?.fault.reason;
  if (!(reason instanceof EnvironmentFault)) return undefined;
  const { event } = reason;
  return {
    at: new Date(event.atMs).toISOString(),
    service: event.service,
    what: evidenceOf(event),
    // The engine's clock may be ahead of ours.
    endedAfterMs: Math.max(0, nowMs - event.atMs),
  };
}

/** `disconnect` is the network's, all others are the container's. */
const watchedActions = ['create', 'oom', 'kill', 'die', 'pause', 'health_status', 'disconnect'];
const inspectDeadlineMs = 5_000;
/** A probe that runs when its container ends fails with it, which the engine may tell before the end. */
const endOfProbeMs = 300;

const eventSchema = z.object({
  Action: z.string(),
  timeNano: z.number(),
  Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()) }),
});
type EngineEvent = z.infer<typeof eventSchema>;

/** Watches the containers of the scope from their creation on: begin before there are any. */
export async function watchEvents(docker: Docker, scope: Scope): Promise<EventWatch> {
  // By type and not by label: a network's events have no labels, and one stream keeps the order.
  const stream = (await docker.getEvents({
    filters: { type: ['container', 'network'], event: watchedActions },
  })) as NodeJS.ReadableStream & { destroy(): void };
  const fault = new AbortController();
  const events: ContainerEvent[] = [];
  const listeners: ((event: ContainerEvent) => void)[] = [];
  /** Services by their containers' ids. */
  const services = new Map<string, string>();
  /** Failed health checks of which it isn't clear yet whether they are findings of their own. */
  const held = new Set<Promise<void>>();
  let stopped = false;
  let brokenOff: string | undefined;

  const onEnd = (reason: string): void => {
    if (!stopped) brokenOff ??= reason;
  };
  const onUnreadable = (event: string): void => {
    onEnd(`an event of the engine can't be read: ${event}`);
  };
  const add = (event: ContainerEvent): void => {
    if (stopped) return;
    events.push(event);
    if (endsSuite(event)) fault.abort(new EnvironmentFault(event));
    for (const tell of listeners) tell(event);
  };
  /** Adds it unless the container turns out to have ended. */
  const holdBack = (event: ContainerEvent): void => {
    const ended = ({ service, action }: ContainerEvent): boolean =>
      service === event.service && action === 'die';
    const known = sleep(endOfProbeMs).then(() => {
      held.delete(known);
      if (!events.some(ended)) add(event);
    });
    held.add(known);
  };
  const take = ({ Action, timeNano, Actor: { ID, Attributes } }: EngineEvent): void => {
    if (Action === 'create' && isOf(scope, Attributes)) {
      services.set(ID, Attributes[labelKeys.service] ?? '');
    }
    const containerId = Action === 'disconnect' ? (Attributes['container'] ?? '') : ID;
    const service = services.get(containerId);
    if (service === undefined) return;
    const event = { service, atMs: timeNano / 1e6 };
    switch (Action) {
      case 'oom':
      case 'pause':
        add({ ...event, action: Action });
        break;
      case 'kill':
        add({ ...event, action: 'kill', signal: Attributes['signal'] ?? 'unknown' });
        break;
      case 'die': {
        const exitCode = Number(Attributes['exitCode']);
        // Other engines than Docker's call it otherwise.
        if (Number.isInteger(exitCode)) add({ ...event, action: 'die', exitCode });
        else onUnreadable(JSON.stringify({ Action, Actor: { ID, Attributes } }));
        break;
      }
      case 'health_status: unhealthy':
        holdBack({ ...event, action: 'unhealthy' });
        break;
      case 'disconnect':
        // A provider takes a new container off the engine's own network before it starts.
        if (Attributes['name'] === 'bridge') break;
        void isCutOff(docker.getContainer(containerId), Attributes['name'] ?? '').then((cutOff) => {
          if (cutOff) add({ ...event, action: 'cut off' });
        });
    }
  };

  const settled = async (): Promise<void> => {
    await Promise.all(held);
  };

  stream.on('end', () => {
    onEnd("the engine's events broke off");
  });
  // The lines pass the stream's error on, and nobody listening would end the process.
  createInterface({ input: stream })
    .on('error', (error: Error) => {
      onEnd(`the engine's events broke off: ${error.message}`);
    })
    .on('line', (line) => {
      const parsed = eventSchema.safeParse(parseJson(line));
      if (parsed.success) take(parsed.data);
      else onUnreadable(line);
    });
  return {
    fault: fault.signal,
    onEvent(listener) {
      listeners.push(listener);
    },
    settled,
    async stop() {
      await settled();
      const deadlineMs = performance.now() + lateOom.deadlineMs;
      while (brokenOff === undefined && endsUnexplained(events) && performance.now() < deadlineMs)
        await sleep(lateOom.intervalMs);
      stopped = true;
      stream.destroy();
      return { events, seen: [...services.values()], ...(brokenOff === undefined ? {} : { brokenOff }) };
    },
  };
}

const isOf = ({ runId, suite }: Scope, labels: Readonly<Record<string, string>>): boolean =>
  labels[labelKeys.run] === runId && labels[labelKeys.suite] === suite;

/** A container that ends leaves its network too, but stays configured for it. */
async function isCutOff(container: Docker.Container, network: string): Promise<boolean> {
  try {
    const { NetworkSettings } = await withDeadline('inspect', inspectDeadlineMs, container.inspect());
    return !(network in NetworkSettings.Networks);
  } catch {
    return false; // It was removed: the event of its end says so.
  }
}
