import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { serviceNames } from '../components/services.js';
import type { Outputs } from '../components/outputs.js';
import { redact, secretsOfVariables } from '../engine/redact.js';
import type { ContainerEngine, ContainerReport, Scope } from './docker.js';
import { messageOf } from './errors.js';
import type { EventWatch } from './event-watch.js';
import { findExhaustions } from './exhaustion.js';
import { findFullDisks, inOrder, type ServiceLog } from './faults.js';
import { findCrashes } from './oom.js';
import { redactDeep, redactFolder, secretsOfEndpoints } from './redact.js';
import type { Crash, Measured, Memory } from './report/record.js';

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
  /** Of every container that could be asked. Passwords are in them. */
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
  try {
    await save(reports ?? [], folder, secrets);
  } catch (error) {
    problems.push(`the evidence can't be saved: ${messageOf(error)}`);
  }
  problems.push(...(await redactFolder(folder, secrets)));
  const crashes = await crashesOf(events, reports, outputs, memory.measured ? memory.value : undefined);
  return { crashes, logs: logsOf(reports ?? []), problems, secrets };
}

const logsOf = (reports: readonly ContainerReport[]): ServiceLog[] =>
  reports.map(({ state: { service }, log }) => ({ service, log }));

async function crashesOf(
  watch: EventWatch,
  reports: readonly ContainerReport[] | undefined,
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
  if (reports === undefined) return { measured: false, reason: "the containers can't be inspected" };
  const states = reports.map(({ state }) => state);
  // Before everything is up, a service that isn't there yet hasn't crashed.
  const there = new Set([...states, ...events].map(({ service }) => service));
  const logs = logsOf(reports);
  const crashes = findCrashes(
    { events, states, memory, exhaustions: findExhaustions(logs) },
    outputs === undefined ? [...there] : serviceNames,
  );
  return { measured: true, value: inOrder([...crashes, ...findFullDisks(logs)]) };
}

async function save(
  reports: readonly ContainerReport[],
  folder: string,
  secrets: readonly string[],
): Promise<void> {
  const logs = path.join(folder, 'logs');
  await mkdir(logs, { recursive: true });
  for (const { state, inspect, log } of reports) {
    await writeFile(path.join(logs, `${state.service}.log`), redact(log, secrets));
    await writeFile(
      path.join(logs, `${state.service}.json`),
      JSON.stringify(redactDeep(inspect, secrets), undefined, 2),
    );
  }
}
