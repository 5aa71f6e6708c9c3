import type Docker from 'dockerode';
import { z } from 'zod';
import { textOfFrames } from '../engine/container-log.js';
import { labelKeys } from '../components/labels.js';
import { withDeadline } from './deadline.js';
import { watchEvents, type EventWatch } from './event-watch.js';
import type { ContainerState } from './oom.js';
import type { Leftover, RunRecord } from './report/record.js';
import { sampleMemory, type MemoryWatch } from './memory.js';
import type { SampledContainer } from './memory-summary.js';

/** The resources of one suite's environment, by their labels. */
export interface Scope {
  runId: string;
  suite: string;
}

export interface ContainerReport {
  state: ContainerState;
  /** As the engine prints it. Holds passwords. */
  inspect: Docker.ContainerInspectInfo;
  /** The last lines of stdout and stderr, with their times. */
  log: string;
}

/** What the runner needs of the Docker Engine, Pulumi's work apart. */
export interface ContainerEngine {
  host(): Promise<Omit<RunRecord['host'], 'node'>>;
  watchEvents(scope: Scope): Promise<EventWatch>;
  sampleMemory(containers: readonly SampledContainer[], file: string): MemoryWatch;
  reports(scope: Scope): Promise<ContainerReport[]>;
  leftovers(scope: Scope): Promise<Leftover[]>;
}

const infoSchema = z.object({
  ServerVersion: z.string(),
  OperatingSystem: z.string(),
  KernelVersion: z.string(),
  CgroupVersion: z.string().default('1'),
  NCPU: z.int(),
  MemTotal: z.number(),
});

const logLines = 2_000;
const answerDeadlineMs = 30_000;

const answered = <T>(question: string, answer: Promise<T>): Promise<T> =>
  withDeadline(`the Docker Engine's answer (${question})`, answerDeadlineMs, answer);

/** Each question has a deadline: an engine that hangs must not hang the run. */
export function dockerEngine(docker: Docker): ContainerEngine {
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
    sampleMemory: (containers, file) => sampleMemory(docker, containers, file),
    reports: (scope) => answered('inspect and logs', reportsOf(docker, scope)),
    leftovers: (scope) => answered('lists by label', leftoversOf(docker, scope)),
  };
}

const labelFilter = ({ runId, suite }: Scope): string[] => [
  `${labelKeys.run}=${runId}`,
  `${labelKeys.suite}=${suite}`,
];

async function leftoversOf(docker: Docker, scope: Scope): Promise<Leftover[]> {
  const filters = { label: labelFilter(scope) };
  const [containers, volumes, networks] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listVolumes({ filters }),
    docker.listNetworks({ filters }),
  ]);
  return [
    ...containers.map(({ Id, Names }) => ({ kind: 'container' as const, name: Names[0]?.slice(1) ?? Id })),
    ...volumes.Volumes.map(({ Name }) => ({ kind: 'volume' as const, name: Name })),
    ...networks.map(({ Name }) => ({ kind: 'network' as const, name: Name })),
  ];
}

async function reportsOf(docker: Docker, scope: Scope): Promise<ContainerReport[]> {
  const containers = await docker.listContainers({ all: true, filters: { label: labelFilter(scope) } });
  return Promise.all(containers.map(({ Id }) => reportOf(docker.getContainer(Id))));
}

async function reportOf(container: Docker.Container): Promise<ContainerReport> {
  const inspect = await container.inspect();
  const log = await container.logs({ stdout: true, stderr: true, timestamps: true, tail: logLines });
  const { Running, OOMKilled, ExitCode } = inspect.State;
  return {
    state: {
      service: inspect.Config.Labels[labelKeys.service] ?? '',
      running: Running,
      oomKilled: OOMKilled,
      exitCode: ExitCode,
    },
    inspect,
    log: textOfFrames(log),
  };
}
