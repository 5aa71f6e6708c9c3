import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import * as z from 'zod';
import { linesOfFrames } from '../engine/container-log.js';
import { labelKeys } from '../components/labels.js';
import { cgroupOf } from './cgroup.js';
import { withDeadline } from './deadline.js';
import { watchEvents, type EventWatch } from './event-watch.js';
import type { ContainerState } from './oom.js';
import type { Leftover, RunRecord } from './report/record.js';
import { limitsByStack } from './limits.js';
import { sampleMemory, type MemoryWatch } from './memory.js';
import type { SampledContainer } from './memory-summary.js';
import type { Lines } from './service-log.js';

/** The resources of one suite's environment, by their labels. */
export interface Scope {
  runId: string;
  suite: string;
}

export interface ContainerReport {
  state: ContainerState;
  /** As the engine prints it. Holds passwords. */
  inspect: Docker.ContainerInspectInfo;
  /** Reads all that the engine has of stdout and stderr, up to 20 MB, with their times. May hold passwords. */
  readLog: <T>(read: (lines: Lines) => Promise<T>) => Promise<T>;
}

export interface Labelled extends Leftover {
  labels: Readonly<Record<string, string>>;
}

export type HostFacts = Omit<RunRecord['host'], 'node'>;

/** What the runner needs of the Docker Engine, Pulumi's work apart. */
export interface ContainerEngine {
  host(): Promise<HostFacts>;
  watchEvents(scope: Scope): Promise<EventWatch>;
  sampleMemory(
    containers: readonly SampledContainer[],
    file: string,
    events: Pick<EventWatch, 'onEvent'>,
  ): Promise<MemoryWatch>;
  reports(scope: Scope): Promise<ContainerReport[]>;
  leftovers(scope: Scope): Promise<Leftover[]>;
  /** Kills what runs. Resolves when its memory is free. */
  kill(scope: Scope): Promise<void>;
  /** Everything that carries this project's label of a run, whoever made it. */
  everything(): Promise<Labelled[]>;
  /** Σ(limits) of the containers that run and carry this project's labels, in MiB, by stack. */
  limitsByStack(): Promise<ReadonlyMap<string, number>>;
  /** Removes what `leftovers` found, in its order, containers by force. What is gone already is fine. */
  remove(leftovers: readonly Leftover[]): Promise<void>;
}

const infoSchema = z.object({
  ServerVersion: z.string(),
  OperatingSystem: z.string(),
  KernelVersion: z.string(),
  CgroupVersion: z.string().default('1'),
  NCPU: z.int(),
  MemTotal: z.number(),
});

const answerDeadlineMs = 30_000;
/** All of it, over a slow line, too. */
const logDeadlineMs = 180_000;

const answered = <T>(question: string, answer: Promise<T>, deadlineMs = answerDeadlineMs): Promise<T> =>
  withDeadline(`the Docker Engine's answer (${question})`, deadlineMs, answer);

/**
 * Each question has a deadline: an engine that hangs must not hang the run.
 * @param isHere whether this machine's kernel is the containers' own and may be asked about them.
 */
export function dockerEngine(docker: Docker, isHere = true): ContainerEngine {
  const limits = limitsByStack(docker);
  return {
    async host() {
      const info = infoSchema.parse(await answered('info', docker.info()));
      return {
        engineVersion: info.ServerVersion,
        operatingSystem: info.OperatingSystem,
        kernel: info.KernelVersion,
        cgroupVersion: info.CgroupVersion,
        cpus: info.NCPU,
        memoryMb: Math.floor(info.MemTotal / (1024 * 1024)),
      };
    },
    watchEvents: (scope) => answered('events', watchEvents(docker, scope)),
    sampleMemory: (containers, file, events) =>
      sampleMemory(docker, containers, file, events, isHere ? cgroupOf : () => undefined),
    reports: (scope) => answered('inspect', reportsOf(docker, scope)),
    leftovers: (scope) => answered('lists by label', leftoversOf(docker, scope)),
    kill: (scope) => answered('kill', killAll(docker, scope)),
    limitsByStack: () => answered('limits by stack', limits()),
    everything: () => answered('lists by label', labelled(docker, [labelKeys.run])),
    async remove(leftovers) {
      for (const leftover of leftovers) await answered('removal', removeOne(docker, leftover));
    },
  };
}

const labelFilter = ({ runId, suite }: Scope): string[] => [
  `${labelKeys.run}=${runId}`,
  `${labelKeys.suite}=${suite}`,
];

async function leftoversOf(docker: Docker, scope: Scope): Promise<Leftover[]> {
  const found = await labelled(docker, labelFilter(scope));
  return found.map(({ kind, name }) => ({ kind, name }));
}

/** Containers first: they hold volumes and networks. */
async function labelled(docker: Docker, label: string[]): Promise<Labelled[]> {
  const filters = { label };
  const [containers, volumes, networks] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listVolumes({ filters }),
    docker.listNetworks({ filters }),
  ]);
  return [
    ...containers.map(({ Id, Names, Labels }) => ({
      kind: 'container' as const,
      name: Names[0]?.slice(1) ?? Id,
      labels: Labels,
    })),
    ...volumes.Volumes.map(({ Name, Labels }) => ({ kind: 'volume' as const, name: Name, labels: Labels })),
    ...networks.map(({ Name, Labels }) => ({ kind: 'network' as const, name: Name, labels: Labels ?? {} })),
  ];
}

async function killAll(docker: Docker, scope: Scope): Promise<void> {
  const running = await docker.listContainers({ filters: { label: labelFilter(scope) } });
  await Promise.all(
    running.map(({ Id }) =>
      docker
        .getContainer(Id)
        .kill()
        .catch((error: unknown) => {
          // It has ended by itself, or is gone.
          if (!endedCodes.includes((error as { statusCode?: number }).statusCode ?? 0)) throw error;
        }),
    ),
  );
}

async function removeOne(docker: Docker, { kind, name }: Leftover): Promise<void> {
  try {
    if (kind === 'container') await docker.getContainer(name).remove({ force: true, v: true });
    else if (kind === 'volume') await docker.getVolume(name).remove();
    else if (kind === 'network') await docker.getNetwork(name).remove();
    else throw new Error(`a Docker Engine has no ${kind}`);
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode !== notFound) throw error;
  }
}

const notFound = 404;
/** Not found, not running. */
const endedCodes = [notFound, 409];

async function reportsOf(docker: Docker, scope: Scope): Promise<ContainerReport[]> {
  const containers = await docker.listContainers({ all: true, filters: { label: labelFilter(scope) } });
  return Promise.all(containers.map(({ Id }) => reportOf(docker, Id)));
}

async function reportOf(docker: Docker, id: string): Promise<ContainerReport> {
  const inspect = await docker.getContainer(id).inspect();
  const { Running, OOMKilled, ExitCode } = inspect.State;
  return {
    state: {
      service: inspect.Config.Labels[labelKeys.service] ?? '',
      running: Running,
      oomKilled: OOMKilled,
      exitCode: ExitCode,
    },
    inspect,
    readLog: (read) => readLog(docker, id, read),
  };
}

async function readLog<T>(docker: Docker, id: string, read: (lines: Lines) => Promise<T>): Promise<T> {
  // An answer that comes when nobody waits for it any more would keep the process alive.
  const over = new AbortController();
  try {
    const output = await answered('log', openLog(docker, id, over.signal));
    return await answered('log', read(linesOfFrames(output)), logDeadlineMs);
  } finally {
    over.abort();
  }
}

/** Dockerode's own `logs` gathers a log in memory, unless it follows it. */
const openLog = (docker: Docker, id: string, abortSignal: AbortSignal): Promise<Readable> =>
  new Promise((resolve, reject) => {
    const request = {
      path: `/containers/${id}/logs?`,
      method: 'GET',
      isStream: true,
      abortSignal,
      statusCodes: { 200: true, 404: 'no such container', 500: 'server error' },
      options: { stdout: true, stderr: true, timestamps: true },
    };
    (docker.modem as Modem).dial(request, (error, output) => {
      if (error === null) resolve(output);
      else reject(error);
    });
  });

/** Its types leave it open. */
interface Modem {
  dial(request: object, done: (error: Error | null, output: Readable) => void): void;
}
