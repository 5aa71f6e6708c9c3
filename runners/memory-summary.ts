import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { serviceNames, type ServiceName } from '../components/services.js';
import { parseJson } from './json.js';
import type { Clock, Measured, Memory } from './report/record.js';

export interface SampledContainer {
  service: ServiceName;
  containerId: string;
  limitMb: number;
}

const sampleSchema = z.strictObject({
  service: z.enum(serviceNames),
  /** Since the sampling began, by the clock that only ticks. */
  afterMs: z.number().nonnegative(),
  /** The same moment by our wall clock. */
  atMs: z.number(),
  /** By the engine's wall clock, when it looked. */
  readAtMs: z.number(),
  usedMb: z.number().nonnegative(),
  kernelPeakMb: z.number().nonnegative().optional(),
});
export type Sample = z.infer<typeof sampleSchema>;

/** What the samples say. */
export interface Watched {
  memory: Measured<Memory>;
  clock: Measured<Clock>;
}

/** The engine sends one sample a second; this many seconds without one on a busy machine aren't a gap yet. */
const longestPauseMs = 5_000;
/** One at the beginning and one at the end: a single one shows no peak. */
const fewestSamples = 2;

/** @throws Error when the file isn't the one that was written. */
export async function readSamples(file: string, taken: number): Promise<Sample[]> {
  const name = path.basename(file);
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  const samples = lines.map((line, index) => {
    const parsed = sampleSchema.safeParse(parseJson(line));
    if (!parsed.success) throw new Error(`${name}: line ${String(index + 1)} is damaged`);
    return parsed.data;
  });
  if (samples.length !== taken) {
    throw new Error(`${name} holds ${String(samples.length)} samples, ${String(taken)} were taken`);
  }
  return samples;
}

/**
 * @param durationMs from the beginning of the sampling to its end.
 * @param breaks what is known to be missing, in words.
 */
export function summarise(
  samples: readonly Sample[],
  containers: readonly SampledContainer[],
  durationMs: number,
  breaks: readonly string[],
): Watched {
  if (samples.length === 0) {
    const none = { measured: false, reason: [...breaks, 'no memory sample came'].join('; ') } as const;
    return { memory: none, clock: none };
  }
  const gaps = [...breaks];
  const services: Memory['services'] = {};
  for (const { service, limitMb } of containers) {
    const own = samples.filter((sample) => sample.service === service);
    gaps.push(...gapsOf(service, own, durationMs));
    if (own.length === 0) continue;
    const kernelPeaks = own.flatMap(({ kernelPeakMb }) => kernelPeakMb ?? []);
    services[service] = {
      limitMb,
      peakMb: highest(own.map(({ usedMb }) => usedMb)),
      ...(kernelPeaks.length === 0 ? {} : { kernelPeakMb: highest(kernelPeaks) }),
    };
  }
  return {
    memory: {
      measured: true,
      value: { sampleCount: samples.length, peakMb: peakOfSum(samples), gaps, services },
    },
    clock: { measured: true, value: clockOf(samples) },
  };
}

function gapsOf(service: ServiceName, own: readonly Sample[], durationMs: number): string[] {
  if (own.length === 0) return [`no memory sample of ${service}`];
  if (own.length < fewestSamples) return [`a single memory sample of ${service}`];
  const times = [0, ...own.map(({ afterMs }) => afterMs), durationMs];
  const pauseMs = highest(times.slice(1).map((time, index) => time - (times[index] ?? time)));
  return pauseMs > longestPauseMs
    ? [`no memory sample of ${service} for ${(pauseMs / 1000).toFixed(1)} s`]
    : [];
}

/** Of what all services used at the same time, not the sum of their peaks. */
function peakOfSum(samples: readonly Sample[]): number {
  const latest = new Map<ServiceName, number>();
  let peakMb = 0;
  for (const { service, usedMb } of samples) {
    latest.set(service, usedMb);
    const sumMb = [...latest.values()].reduce((sum, used) => sum + used, 0);
    peakMb = Math.max(peakMb, sumMb);
  }
  return peakMb;
}

function clockOf(samples: readonly Sample[]): Clock {
  // On one machine an answer is never older than the question; the engine's clock being ahead makes it look so.
  const engineAheadMs = highest(samples.map(({ readAtMs, atMs }) => readAtMs - atMs));
  // When the one clock stood at the beginning of the other: it stays unless somebody sets it.
  const origins = samples.map(({ atMs, afterMs }) => atMs - afterMs);
  return { engineAheadMs, setByMs: highest(origins) - Math.min(...origins) };
}

const highest = (values: readonly number[]): number => Math.max(...values);
