import { createReadStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { serviceNames, type ServiceName } from '../components/services.js';
import { parseJson } from './json.js';
import type { Clock, Measured, Memory } from './report/record.js';

export interface SampledContainer {
  service: ServiceName;
  containerId: string;
  limitMb: number;
}

const moment = {
  /** Since the sampling began, by the clock that only ticks. */
  afterMs: z.number().nonnegative(),
  /** The same moment by our wall clock. */
  atMs: z.number(),
};
const count = z.int().nonnegative();
const megabytes = z.number().nonnegative();

const sampleSchema = z.strictObject({
  service: z.enum(serviceNames),
  ...moment,
  /** By the engine's wall clock, when it looked. */
  readAtMs: z.number(),
  usedMb: megabytes,
  kernelPeakMb: megabytes.optional(),
});
export type Sample = z.infer<typeof sampleSchema>;

/** What the kernel itself says, where it can be asked: of each container that lives, and of the whole host. */
const kernelSchema = z.strictObject({
  ...moment,
  kernel: z.strictObject({
    host: z.strictObject({ totalMb: megabytes, availableMb: megabytes, oomKills: count }).optional(),
    services: z.partialRecord(
      z.enum(serviceNames),
      z.strictObject({ kernelPeakMb: megabytes.optional(), oomKills: count }),
    ),
  }),
});
type Kernel = z.infer<typeof kernelSchema>['kernel'];

/** Something that happened; `eventAtMs` is by the engine's wall clock. */
const markSchema = z.strictObject({ ...moment, mark: z.string(), eventAtMs: z.number().optional() });

const lineSchema = z.union([sampleSchema, kernelSchema, markSchema]);
/** A line of `memory.jsonl`. */
export type MemoryLine = z.infer<typeof lineSchema>;

/** The mark between the idle environment and its load. */
export const loadBegins = 'the load begins';

/** What the samples say. */
export interface Watched {
  memory: Measured<Memory>;
  clock: Measured<Clock>;
}

/** The engine sends one sample a second; this many seconds without one on a busy machine aren't a gap yet. */
const longestPauseMs = 5_000;
/** One at the beginning and one at the end: a single one shows no peak. */
const fewestSamples = 2;

/**
 * One line at a time: a series has no end.
 * @throws Error when the file isn't the one that was written.
 */
export async function* readMemoryLines(file: string, written: number): AsyncGenerator<MemoryLine> {
  const name = path.basename(file);
  let read = 0;
  for await (const line of createInterface({ input: createReadStream(file) })) {
    read += 1;
    const parsed = lineSchema.safeParse(parseJson(line));
    if (!parsed.success) throw new Error(`${name}: line ${String(read)} is damaged`);
    yield parsed.data;
  }
  if (read !== written) {
    throw new Error(`${name} holds ${String(read)} lines, ${String(written)} were written`);
  }
}

/** What is kept of a service's samples. */
interface Tally {
  samples: number;
  latest: Sample;
  longestPauseMs: number;
  baselineMb?: number;
  peakMb: number;
}
type Counts = Pick<NonNullable<Memory['services'][ServiceName]>, 'kernelPeakMb' | 'oomKills' | 'countedAt'>;

/**
 * @param durationMs from the beginning of the sampling to its end.
 * @param breaks what is known to be missing, in words.
 */
export async function summarise(
  lines: AsyncIterable<MemoryLine> | Iterable<MemoryLine>,
  containers: readonly SampledContainer[],
  durationMs: number,
  breaks: readonly string[],
): Promise<Watched> {
  const tallies = new Map<ServiceName, Tally>();
  const counts = new Map<ServiceName, Counts>();
  const clock = clockTally();
  let host: HostTally | undefined;
  let sampleCount = 0;
  let peakMb = 0;
  for await (const line of lines) {
    if ('kernel' in line) {
      if (line.kernel.host !== undefined) host = withHost(host, line.kernel.host);
      const countedAt = new Date(line.atMs).toISOString();
      for (const service of serviceNames) {
        const asked = line.kernel.services[service];
        if (asked !== undefined) counts.set(service, grown(counts.get(service), { ...asked, countedAt }));
      }
    } else if ('mark' in line) {
      if (line.mark === loadBegins)
        for (const tally of tallies.values()) tally.baselineMb = tally.latest.usedMb;
    } else {
      const { service, kernelPeakMb } = line;
      sampleCount += 1;
      clock.add(line);
      tallies.set(service, withSample(tallies.get(service), line));
      counts.set(service, grown(counts.get(service), defined({ kernelPeakMb })));
      peakMb = Math.max(peakMb, sum([...tallies.values()].map(({ latest }) => latest.usedMb)));
    }
  }
  if (sampleCount === 0) {
    const none = { measured: false, reason: [...breaks, 'no memory sample came'].join('; ') } as const;
    return { memory: none, clock: none };
  }
  const services: Memory['services'] = {};
  for (const { service, limitMb } of containers) {
    const tally = tallies.get(service);
    if (tally === undefined) continue;
    const { baselineMb, peakMb: ownPeakMb } = tally;
    services[service] = { limitMb, peakMb: ownPeakMb, ...defined({ baselineMb }), ...counts.get(service) };
  }
  const baselines = containers.flatMap(({ service }) => tallies.get(service)?.baselineMb ?? []);
  const value: Memory = {
    sampleCount,
    peakMb,
    ...defined({ baselineMb: baselines.length === containers.length ? sum(baselines) : undefined }),
    gaps: [
      ...breaks,
      ...containers.flatMap(({ service }) => gapsOf(service, tallies.get(service), durationMs)),
    ],
    services,
    ...defined({ host: host === undefined ? undefined : hostOf(host) }),
  };
  return { memory: { measured: true, value }, clock: { measured: true, value: clock.result() } };
}

/** What the kernel counts only ever grows: of its peak the engine may tell an older one later. */
function grown(before: Counts | undefined, now: Counts): Counts {
  const peaks = [before?.kernelPeakMb ?? [], now.kernelPeakMb ?? []].flat();
  return { ...before, ...now, ...(peaks.length === 0 ? {} : { kernelPeakMb: Math.max(...peaks) }) };
}

function withSample(tally: Tally | undefined, sample: Sample): Tally {
  return {
    ...tally,
    samples: (tally?.samples ?? 0) + 1,
    latest: sample,
    longestPauseMs: Math.max(tally?.longestPauseMs ?? 0, sample.afterMs - (tally?.latest.afterMs ?? 0)),
    peakMb: Math.max(tally?.peakMb ?? 0, sample.usedMb),
  };
}

/** JSON and strict schemas know absent, not undefined. */
function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function gapsOf(service: ServiceName, tally: Tally | undefined, durationMs: number): string[] {
  if (tally === undefined) return [`no memory sample of ${service}`];
  if (tally.samples < fewestSamples) return [`a single memory sample of ${service}`];
  const pauseMs = Math.max(tally.longestPauseMs, durationMs - tally.latest.afterMs);
  return pauseMs > longestPauseMs
    ? [`no memory sample of ${service} for ${(pauseMs / 1000).toFixed(1)} s`]
    : [];
}

interface HostTally {
  totalMb: number;
  leastAvailableMb: number;
  oomKillsBefore: number;
  oomKills: number;
}

function withHost(
  tally: HostTally | undefined,
  { totalMb, availableMb, oomKills }: NonNullable<Kernel['host']>,
): HostTally {
  return {
    totalMb,
    leastAvailableMb: Math.min(tally?.leastAvailableMb ?? availableMb, availableMb),
    oomKillsBefore: tally?.oomKillsBefore ?? oomKills,
    oomKills,
  };
}

const hostOf = ({ totalMb, leastAvailableMb, oomKillsBefore, oomKills }: HostTally): Memory['host'] => ({
  totalMb,
  leastAvailableMb,
  oomKills: Math.max(0, oomKills - oomKillsBefore),
});

function clockTally(): { add(sample: Sample): void; result(): Clock } {
  let engineAheadMs = -Infinity;
  let earliestMs = Infinity;
  let latestMs = -Infinity;
  return {
    add({ readAtMs, atMs, afterMs }) {
      // On one machine an answer is never older than the question; the engine's clock being ahead makes it look so.
      engineAheadMs = Math.max(engineAheadMs, readAtMs - atMs);
      // When the one clock stood at the beginning of the other: it stays unless somebody sets it.
      const originMs = atMs - afterMs;
      earliestMs = Math.min(earliestMs, originMs);
      latestMs = Math.max(latestMs, originMs);
    },
    result: () => ({ engineAheadMs, setByMs: latestMs - earliestMs }),
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
