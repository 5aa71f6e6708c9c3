import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { labelKeys } from '../components/labels.js';
import { parseJson } from './json.js';

/** A moment. `atMs` is of the wall clock, as all times here. */
export interface Mark {
  name: string;
  atMs: number;
}

/** One entry of the trace-event format, as chrome://tracing and Perfetto read it; times in microseconds. */
type TraceEvent = { name: string; pid: 1; tid: string; ts: number } & (
  { ph: 'X'; dur: number } | { ph: 'i'; s: 't' }
);

/** What an inspected container tells of its beginning. */
const begunSchema = z.object({
  Created: z.iso.datetime(),
  Config: z.object({ Labels: z.record(z.string(), z.string()) }),
  State: z.object({ StartedAt: z.iso.datetime() }),
});

/** Where the time of a run goes. A lane per suite, and one per container of it. */
export interface Timeline {
  span(lane: string, name: string, fromMs: number, untilMs: number): void;
  mark(lane: string, mark: Mark): void;
  /** Adds the containers of a suite: made, started, ready. @param folder of the suite, with its services' inspections. */
  addContainers(lane: string, folder: string): Promise<void>;
  save(file: string): Promise<void>;
}

const readyMark = (service: string): string => `${service} ready`;

export function newTimeline(): Timeline {
  const events: TraceEvent[] = [];
  const marks = new Map<string, number>();
  const span = (tid: string, name: string, fromMs: number, untilMs: number): void => {
    events.push({ name, pid: 1, tid, ph: 'X', ts: fromMs * 1000, dur: Math.max(0, untilMs - fromMs) * 1000 });
  };
  return {
    span,
    mark(tid, { name, atMs }) {
      marks.set(`${tid} ${name}`, atMs);
      events.push({ name, pid: 1, tid, ph: 'i', s: 't', ts: atMs * 1000 });
    },
    async addContainers(lane, folder) {
      const logs = path.join(folder, 'logs');
      for (const name of (await readdir(logs).catch(() => [])).filter((file) => file.endsWith('.json'))) {
        const found = begunSchema.safeParse(parseJson(await readFile(path.join(logs, name), 'utf8')));
        if (!found.success) continue;
        const { Created, State, Config } = found.data;
        const service = Config.Labels[labelKeys.service] ?? name;
        const [madeMs, startedMs] = [Date.parse(Created), Date.parse(State.StartedAt)];
        const own = `${lane} ${service}`;
        span(own, 'made, starting', madeMs, startedMs);
        const readyMs = marks.get(`${lane} ${readyMark(service)}`);
        if (readyMs !== undefined) span(own, 'started, getting ready', startedMs, readyMs);
      }
    },
    async save(file) {
      const inOrder = [...events].sort((one, other) => one.ts - other.ts);
      await writeFile(file, JSON.stringify({ traceEvents: inOrder, displayTimeUnit: 'ms' }));
    },
  };
}
