import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { serviceNames } from '../components/services.js';
import type { Outputs } from '../components/outputs.js';
import { secretsOfVariables } from '../engine/redact.js';
import type { ContainerEngine, ContainerReport, Scope } from './docker.js';
import { messageOf } from './errors.js';
import type { EventWatch } from './event-watch.js';
import { findExhaustions, limitLines } from './exhaustion.js';
import { findFullDisks, fullDiskLine, inOrder } from './faults.js';
import { findCrashes, type ContainerState } from './oom.js';
import { redactDeep, redactFolder, secretsOfEndpoints } from './redact.js';
import type { Crash, Measured, Memory } from './report/record.js';
import { saveServiceLog, type ServiceLog } from './service-log.js';

/** What a line of any log says that the verdict needs. */
const tellingLines = [...limitLines, fullDiskLine];

interface Source {
  scope: Scope;
  /** The suite's own, as an artifact. */
  folder: string;
  /** Absent while not everything is up. */
  outputs: Outputs | undefined;
  /** Names of the services' variables that are secret whatever they are called. */
  secretVariables: readonly string[];
  memory: Measured<Memory>;
}

interface Evidence {
  /** In the order of time. */
  crashes: Measured<Crash[]>;
  /** Of every container whose log could be read. Passwords are in them. */
  logs: ServiceLog[];
  /** What couldn't be had, in words. */
  problems: string[];
  /** The passwords of the environment, as far as they are known. */
  secrets: string[];
}

/** Saves what only the living environment can tell, passwords redacted. Ends the watch. Never rejects. */
export async function collectEvidence(
  engine: ContainerEngine,
  events: EventWatch,
  { scope, folder, outputs, secretVariables, memory }: Source,
): Promise<Evidence> {
  const problems: string[] = [];
  let reports: ContainerReport[] | undefined;
  try {
    reports = await engine.reports(scope);
  } catch (error) {
    problems.push(`the containers can't be inspected: ${messageOf(error)}`);
  }
  const secrets = [
    ...(outputs === undefined ? [] : secretsOfEndpoints(outputs.endpoints)),
    ...(reports ?? []).flatMap(({ inspect }) => secretsOfVariables(inspect.Config.Env, secretVariables)),
  ];
  const read = await saveAll(reports ?? [], path.join(folder, 'logs'), secrets);
  problems.push(...read.problems, ...(await redactFolder(folder, secrets)));
  const { logs } = read;
  const unknown = reports === undefined ? "the containers can't be inspected" : read.unread[0];
  const states: Measured<ContainerState[]> =
    unknown === undefined
      ? { measured: true, value: (reports ?? []).map(({ state }) => state) }
      : { measured: false, reason: unknown };
  const crashes = await crashesOf(events, states, logs, outputs, memory.measured ? memory.value : undefined);
  return { crashes, logs, problems, secrets };
}

async function crashesOf(
  watch: EventWatch,
  states: Measured<ContainerState[]>,
  logs: readonly ServiceLog[],
  outputs: Outputs | undefined,
  memory: Memory | undefined,
): Promise<Measured<Crash[]>> {
  const { events, seen, brokenOff } = await watch.stop();
  if (brokenOff !== undefined) return { measured: false, reason: brokenOff };
  // A watch that heard nothing of what surely happened may have missed more.
  const unseen = serviceNames.filter((service) => !seen.includes(service));
  if (outputs !== undefined && unseen.length > 0) {
    return { measured: false, reason: `the engine's events lack the creation of ${unseen.join(', ')}` };
  }
  if (!states.measured) return states;
  // Before everything is up, a service that isn't there yet hasn't crashed.
  const there = new Set([...states.value, ...events].map(({ service }) => service));
  const crashes = findCrashes(
    { events, states: states.value, memory, exhaustions: findExhaustions(logs) },
    outputs === undefined ? [...there] : serviceNames,
  );
  return { measured: true, value: inOrder([...crashes, ...findFullDisks(logs)]) };
}

/** Writes what each container is and said. What can't be written is read all the same. */
async function saveAll(
  reports: readonly ContainerReport[],
  folder: string,
  secrets: readonly string[],
): Promise<{ logs: ServiceLog[]; unread: string[]; problems: string[] }> {
  let unsaved: unknown;
  const isUnsaved = (error: unknown): void => {
    unsaved ??= error;
  };
  const unread: string[] = [];
  await mkdir(folder, { recursive: true }).catch(isUnsaved);
  const found = await Promise.all(
    reports.map(async ({ state: { service }, inspect, readLog }) => {
      try {
        const described = JSON.stringify(redactDeep(inspect, secrets), undefined, 2);
        await writeFile(path.join(folder, `${service}.json`), described);
      } catch (error) {
        isUnsaved(error);
      }
      const file = path.join(folder, `${service}.log`);
      try {
        return await readLog((lines) =>
          saveServiceLog({ service, lines, file }, tellingLines, secrets, isUnsaved),
        );
      } catch (error) {
        unread.push(`the log of ${service} can't be read: ${messageOf(error)}`);
        return undefined;
      }
    }),
  );
  return {
    logs: found.filter((log) => log !== undefined),
    problems: [
      ...unread,
      ...(unsaved === undefined ? [] : [`the evidence can't be saved: ${messageOf(unsaved)}`]),
    ],
    unread,
  };
}
