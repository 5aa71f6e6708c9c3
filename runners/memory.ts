import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import type Docker from 'dockerode';
import * as z from 'zod';
import type { ServiceName } from '../components/services.js';
import { readHostMemory, usedMbOf, type Cgroup, type CgroupOf } from './cgroup.js';
import { withDeadline } from './deadline.js';
import { messageOf } from './errors.js';
import type { EventWatch } from './event-watch.js';
import { parseJson } from './json.js';
import {
  loadBegins,
  readMemoryLines,
  summarise,
  type MemoryLine,
  type SampledContainer,
  type Watched,
} from './memory-summary.js';
import { describeEvent } from './oom.js';

export interface MemoryWatch {
  /** Ends the sampling. Does not reject. */
  stop(): Promise<Watched>;
}

export interface Clocks {
  /** Since the epoch; somebody may set it. */
  wallMs: () => number;
  /** Since some moment; only ever ticks. */
  tickMs: () => number;
}

const systemClocks: Clocks = { wallMs: () => Date.now(), tickMs: () => performance.now() };

const bytesPerMb = 1024 * 1024;
const answerDeadlineMs = 5_000;
const kernelIntervalMs = 1_000;

const statsSchema = z.object({
  read: z.iso.datetime({ offset: true }),
  memory_stats: z.object({
    usage: z.number().positive(),
    max_usage: z.number().optional(),
    stats: z.object({ total_inactive_file: z.number().optional(), inactive_file: z.number().optional() }),
  }),
});

interface Reading {
  /** By the engine's clock. */
  readAtMs: number;
  usedMb: number;
  kernelPeakMb?: number;
}

/** One line of the engine's stats; undefined for a container that doesn't run (any more). */
export function parseStats(stats: unknown): Reading | undefined {
  const parsed = statsSchema.safeParse(stats);
  if (!parsed.success) return undefined;
  const { usage, max_usage: kernelPeak, stats: pages } = parsed.data.memory_stats;
  // cgroup v1 and v2 name it differently.
  const inactiveFile = pages.total_inactive_file ?? pages.inactive_file ?? 0;
  return {
    readAtMs: Date.parse(parsed.data.read),
    usedMb: usedMbOf(usage, inactiveFile),
    // The engine has it of cgroup v1 only.
    ...(kernelPeak === undefined ? {} : { kernelPeakMb: kernelPeak / bytesPerMb }),
  };
}

type Untimed<Line> = Line extends unknown ? Omit<Line, 'afterMs' | 'atMs'> : never;

/** Both clocks at one moment: the process may be held up between two looks. */
function readClocks({ wallMs, tickMs }: Clocks): { wallMs: number; tickMs: number } {
  for (;;) {
    const moment = { tickMs: tickMs(), wallMs: wallMs() };
    if (tickMs() - moment.tickMs < 1) return moment;
  }
}

/**
 * Samples each container and the host once a second, each sample appended to `file` as it comes, and marks what
 * happens meanwhile. Resolves when it has looked at each: the load may begin. What is in the file at the end is
 * what counts.
 * @param findCgroup where the kernel counts a container's memory, if it is this machine's.
 */
export async function sampleMemory(
  docker: Docker,
  containers: readonly SampledContainer[],
  file: string,
  events: Pick<EventWatch, 'onEvent'>,
  findCgroup: CgroupOf,
  clocks: Clocks = systemClocks,
): Promise<MemoryWatch> {
  const startMs = clocks.tickMs();
  /** What is missing, in words, each once. */
  const breaks = new Set<string>();
  const cgroups = new Map<ServiceName, Cgroup>();
  let written = 0;
  const output = createWriteStream(file, { flags: 'a' });
  output.on('error', (error) => {
    breaks.add(`the memory samples can't be written: ${error.message}`);
  });
  const ended = new AbortController();

  const write = (line: Untimed<MemoryLine>): void => {
    if (ended.signal.aborted) return;
    const { tickMs, wallMs } = readClocks(clocks);
    written += 1;
    output.write(`${JSON.stringify({ ...line, afterMs: tickMs - startMs, atMs: wallMs })}\n`);
  };
  const lookAtKernel = (): void => {
    if (cgroups.size === 0) return;
    const services = [...cgroups].map(([service, cgroup]) => [service, cgroup.counters()] as const);
    const living = services.filter(([, counters]) => counters !== undefined);
    write({ kernel: { host: readHostMemory(), services: Object.fromEntries(living) } });
  };
  const look = async ({ service, containerId }: SampledContainer): Promise<void> => {
    // The engine makes one wait for its next tick. A kernel that can be asked is the engine's own, clock included.
    const usedMb = cgroups.get(service)?.usedMb();
    if (usedMb !== undefined) {
      write({ service, readAtMs: clocks.wallMs(), usedMb });
      return;
    }
    const stats = docker.getContainer(containerId).stats({ stream: false, 'one-shot': true });
    const reading = parseStats(await withDeadline(`the memory of ${service}`, answerDeadlineMs, stats));
    if (reading !== undefined) write({ service, ...reading });
  };
  const follow = async ({ service, containerId }: SampledContainer): Promise<void> => {
    const stream = (await docker
      .getContainer(containerId)
      .stats({ stream: true })) as NodeJS.ReadableStream & {
      destroy(): void;
    };
    const lines = createInterface({ input: stream });
    const end = (): void => {
      lines.close();
      stream.destroy();
    };
    if (ended.signal.aborted) end();
    ended.signal.addEventListener('abort', end);
    for (const event of ['error', 'close']) stream.on(event, end);
    for await (const line of lines) {
      const reading = parseStats(parseJson(line));
      if (reading !== undefined) write({ service, ...reading });
      else if (!ended.signal.aborted) breaks.add(`a memory sample of ${service} can't be read`);
    }
  };
  const sample = async (container: SampledContainer): Promise<void> => {
    let reason = 'the engine ended them';
    try {
      await follow(container);
    } catch (error) {
      reason = messageOf(error);
    }
    if (!ended.signal.aborted) breaks.add(`the memory samples of ${container.service} broke off: ${reason}`);
  };
  const findCounters = async ({ service, containerId }: SampledContainer): Promise<void> => {
    const inspect = docker.getContainer(containerId).inspect();
    const { State } = await withDeadline(`the process of ${service}`, answerDeadlineMs, inspect);
    const cgroup = findCgroup({ containerId, pid: State.Pid });
    if (cgroup !== undefined) cgroups.set(service, cgroup);
  };
  events.onEvent((event) => {
    write({ mark: describeEvent(event), eventAtMs: event.atMs });
    lookAtKernel(); // While the container may still live.
  });
  for (const container of containers) void sample(container);
  await Promise.allSettled(containers.map(findCounters));
  // The first tick is up to a second away. A look that fails leaves a gap.
  await Promise.allSettled(containers.map(look));
  lookAtKernel();
  const kernelTimer = setInterval(lookAtKernel, kernelIntervalMs);
  write({ mark: loadBegins });

  return {
    async stop() {
      // A last look at each, so that the time since the last tick isn't lost.
      await Promise.allSettled(containers.map(look));
      lookAtKernel();
      clearInterval(kernelTimer);
      ended.abort();
      const durationMs = clocks.tickMs() - startMs;
      output.end();
      await finished(output).catch(() => undefined);
      try {
        return await summarise(readMemoryLines(file, written), containers, durationMs, [...breaks]);
      } catch (error) {
        const unmeasured = { measured: false, reason: [...breaks, messageOf(error)].join('; ') } as const;
        return { memory: unmeasured, clock: unmeasured };
      }
    },
  };
}
