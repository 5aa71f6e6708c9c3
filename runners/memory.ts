import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import type Docker from 'dockerode';
import { z } from 'zod';
import type { ServiceName } from '../components/services.js';
import { withDeadline } from './deadline.js';
import { parseJson } from './json.js';
import type { Measured, Memory } from './report/record.js';

export interface SampledContainer {
  service: ServiceName;
  containerId: string;
  limitMb: number;
}

export interface Sample {
  service: ServiceName;
  /** Since the epoch. */
  atMs: number;
  usedMb: number;
  kernelPeakMb?: number;
}

export interface MemoryWatch {
  /** Ends the sampling. Does not reject. */
  stop(): Promise<Measured<Memory>>;
}

const bytesPerMb = 1024 * 1024;
/** The engine sends one sample a second; this many seconds without one on a busy machine aren't a gap yet. */
const longestPauseMs = 5_000;
const answerDeadlineMs = 5_000;

const statsSchema = z.object({
  memory_stats: z.object({
    usage: z.number(),
    max_usage: z.number().optional(),
    stats: z.object({ total_inactive_file: z.number().optional(), inactive_file: z.number().optional() }),
  }),
});

/** One line of the engine's stats; undefined for a container that doesn't run (any more). */
export function parseStats(stats: unknown, service: ServiceName, atMs: number): Sample | undefined {
  const parsed = statsSchema.safeParse(stats);
  if (!parsed.success) return undefined;
  const { usage, max_usage: kernelPeak, stats: pages } = parsed.data.memory_stats;
  // Inactive page cache is given back under pressure: it is no need. cgroup v1 and v2 name it differently.
  const inactiveFile = pages.total_inactive_file ?? pages.inactive_file ?? 0;
  return {
    service,
    atMs,
    usedMb: Math.max(0, usage - inactiveFile) / bytesPerMb,
    ...(kernelPeak === undefined ? {} : { kernelPeakMb: kernelPeak / bytesPerMb }),
  };
}

/** Samples each container once a second, each sample appended to `file` as it comes. */
export function sampleMemory(
  docker: Docker,
  containers: readonly SampledContainer[],
  file: string,
): MemoryWatch {
  const startMs = Date.now();
  const samples: Sample[] = [];
  const output = createWriteStream(file, { flags: 'a' });
  // What can't be written is still in memory and counts; the disk's trouble shows elsewhere.
  output.on('error', () => undefined);
  const ended = new AbortController();

  const take = (stats: unknown, service: ServiceName): void => {
    if (ended.signal.aborted) return;
    const sample = parseStats(stats, service, Date.now());
    if (sample === undefined) return;
    samples.push(sample);
    output.write(`${JSON.stringify(sample)}\n`);
  };
  const follow = async ({ service, containerId }: SampledContainer): Promise<void> => {
    const stream = await docker.getContainer(containerId).stats({ stream: true });
    const lines = createInterface({ input: stream });
    const end = (): void => {
      lines.close();
      (stream as NodeJS.ReadableStream & { destroy(): void }).destroy();
    };
    if (ended.signal.aborted) end();
    ended.signal.addEventListener('abort', end);
    stream.on('error', end);
    for await (const line of lines) take(parseJson(line), service);
  };
  // A stream that can't be had or breaks off shows as a gap.
  for (const container of containers) follow(container).catch(() => undefined);

  return {
    async stop() {
      // A last look at each, so that the time since the last tick isn't lost.
      const looks = containers.map(async ({ service, containerId }) => {
        const stats = docker.getContainer(containerId).stats({ stream: false, 'one-shot': true });
        take(await withDeadline(`the memory of ${service}`, answerDeadlineMs, stats), service);
      });
      await Promise.allSettled(looks);
      ended.abort();
      const endMs = Date.now();
      output.end();
      await finished(output).catch(() => undefined);
      return summarise(samples, containers, startMs, endMs);
    },
  };
}

/** Peaks per service and of the simultaneous sum. */
export function summarise(
  samples: readonly Sample[],
  containers: readonly SampledContainer[],
  startMs: number,
  endMs: number,
): Measured<Memory> {
  if (samples.length === 0) return { measured: false, reason: 'no memory sample came' };
  const latest = new Map<ServiceName, number>();
  let peakMb = 0;
  for (const { service, usedMb } of samples) {
    latest.set(service, usedMb);
    peakMb = Math.max(
      peakMb,
      [...latest.values()].reduce((sum, used) => sum + used, 0),
    );
  }
  const gaps: string[] = [];
  const services: Memory['services'] = {};
  for (const { service, limitMb } of containers) {
    const own = samples.filter((sample) => sample.service === service);
    const times = [startMs, ...own.map(({ atMs }) => atMs), endMs];
    const pauseMs = Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? time)));
    if (own.length === 0) gaps.push(`no memory sample of ${service}`);
    else if (pauseMs > longestPauseMs)
      gaps.push(`no memory sample of ${service} for ${(pauseMs / 1000).toFixed(1)} s`);
    const kernelPeaks = own.flatMap(({ kernelPeakMb }) => kernelPeakMb ?? []);
    services[service] = {
      limitMb,
      peakMb: Math.max(0, ...own.map(({ usedMb }) => usedMb)),
      ...(kernelPeaks.length === 0 ? {} : { kernelPeakMb: Math.max(...kernelPeaks) }),
    };
  }
  return { measured: true, value: { sampleCount: samples.length, peakMb, gaps, services } };
}
