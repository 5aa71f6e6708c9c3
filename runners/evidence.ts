import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { serviceNames } from '../components/services.js';
import type { Outputs } from '../components/outputs.js';
import type { ContainerEngine, ContainerReport, Scope } from './docker.js';
import { messageOf } from './errors.js';
import type { EventWatch } from './event-watch.js';
import { findFullDisks, inOrder, type ServiceLog } from './faults.js';
import { findCrashes } from './oom.js';
import { resultsFolderName } from './suite-runner.js';
import { redact, redactFile, secretsOfEndpoints, secretsOfVariables } from './redact.js';
import type { Crash, Measured } from './report/record.js';

interface Source {
  scope: Scope;
  /** The suite's own, as an artifact. */
  folder: string;
  /** Absent while not everything is up. */
  outputs: Outputs | undefined;
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

/** Files that others wrote into the suite's folder and that might quote a password. */
const quotingFiles = ['up.log', 'suite.log', path.join(resultsFolderName, 'tests.json')];

/** Saves what only the living environment can tell, passwords redacted. Ends the watch. Never rejects. */
export async function collectEvidence(
  engine: ContainerEngine,
  events: EventWatch,
  { scope, folder, outputs }: Source,
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
    ...(reports ?? []).flatMap(({ inspect }) => secretsOfVariables(inspect.Config.Env)),
  ];
  try {
    await save(reports ?? [], folder, secrets);
    for (const file of quotingFiles) await redactFile(path.join(folder, file), secrets);
  } catch (error) {
    problems.push(`the evidence can't be saved: ${messageOf(error)}`);
  }
  return { crashes: crashesOf(events, reports, outputs), logs: logsOf(reports ?? []), problems, secrets };
}

const logsOf = (reports: readonly ContainerReport[]): ServiceLog[] =>
  reports.map(({ state: { service }, log }) => ({ service, log }));

function crashesOf(
  watch: EventWatch,
  reports: readonly ContainerReport[] | undefined,
  outputs: Outputs | undefined,
): Measured<Crash[]> {
  const { events, seen, brokenOff } = watch.stop();
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
  const crashes = findCrashes(events, states, outputs === undefined ? [...there] : serviceNames);
  return { measured: true, value: inOrder([...crashes, ...findFullDisks(logsOf(reports))]) };
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
      redact(JSON.stringify(inspect, undefined, 2), secrets),
    );
  }
}
