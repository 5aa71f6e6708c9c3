import path from 'node:path';
import Table from 'cli-table3';
import {
  ConfigError,
  configNamespace,
  parseConfig,
  resolveEnvironment,
  type EnvironmentSpec,
  type StackConfig,
} from '../components/config.js';
import { prolongHost } from '../components/hosts/prolong.js';
import type { Endpoints, Outputs } from '../components/outputs.js';
import { hostProblems } from '../components/sizing.js';
import type { Progress } from '../engine/progress.js';
import type { EngineEnvironment } from '../engine/setup.js';
import { tunnelFolderOfStack } from '../engine/ssh/target.js';
import { projectFolder } from '../engine/stack-files.js';
import { exitCodes } from './exit-codes.js';
import { destroyDeadRunnersStacks } from './gc.js';
import { setUpHost, type RunHost } from './hosts/host.js';
import { targetOfConfig } from './hosts/target.js';
import { listenForInterruption } from './interruption.js';
import { backendOf } from './lease-book.js';
import { removeLease, underLease, writeLease, type Lease } from './leases.js';
import { showWaiting } from './phases.js';
import { awsPlanOf } from './plan.js';
import { plain } from './report/terminal.js';
import { readSettings, stacksFolder, type Settings } from './settings.js';
import { rememberingSettings } from './settings-before.js';
import { destroyCommandOf, standingStacks, type Stack } from './stack.js';
import { markOf } from './take-over.js';
import { latest, tenureOf } from './tenure.js';

export interface UpChoices {
  stack: string;
  profile?: string;
  ttlMinutes?: number;
}

/** As long as a host made for it may take, too. */
const upTimeoutMs = 15 * 60_000;

/**
 * Brings up an environment that stays up, or brings one up to date, and says how to reach it. One that a run kept is
 * only prolonged.
 * @returns the exit code.
 * @throws ConfigError or the set-up's error: nothing was started then. StackError: parts may be up.
 */
export async function bringUp(choices: UpChoices, checkout: string, progress: Progress): Promise<number> {
  const { stack: name, profile, ttlMinutes } = choices;
  const note = (line: string): void => {
    progress.note(line);
  };
  const settings = await readSettings({ checkout, stack: name, mayBeMissing: true, note });
  const chosen = Object.fromEntries(
    Object.entries({ profile, ttlMinutes })
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [`${configNamespace}:${key}`, String(value)]),
  );
  const config = parseConfig({ ...settings.config, ...chosen }, settings.source);
  const environment = resolveEnvironment(config, settings.source);
  const { engine: setUpHere, host } = await setUpHost(
    { target: targetOfConfig(config), ...awsPlanOf(config, environment), stackOf: () => name },
    progress,
  );
  try {
    return await bringUpOn(host, {
      ...{ choices, settings, config, environment, chosen },
      ...{ setUpHere, checkout, progress },
    });
  } finally {
    await host.leave();
  }
}

interface Setting {
  choices: UpChoices;
  settings: Settings;
  config: StackConfig;
  environment: EnvironmentSpec;
  /** Settings from the command line. */
  chosen: Readonly<Record<string, string>>;
  setUpHere: EngineEnvironment;
  checkout: string;
  progress: Progress;
}

async function bringUpOn(
  host: RunHost,
  { choices, settings, config, environment, chosen, setUpHere, checkout, progress }: Setting,
): Promise<number> {
  const { stack: name, ttlMinutes } = choices;
  // What is begun for the stack is found by the mark, should this process be killed.
  const engine = { ...setUpHere, env: { ...setUpHere.env, ...markOf(name) } };
  const dockerHost = host.dockerHostOf(name);
  const problems = hostProblems(environment, (await host.engine.host()).memoryMb);

  const stacks = standingStacks(engine, checkout);
  const ownFolder = tunnelFolderOfStack(name, backendOf({ ...process.env, ...engine.env }));
  const { stop: signal } = listenForInterruption(() => {
    progress.note('Interrupted: ending what was begun.');
  });
  const { memoryMb } = environment;
  const { lease, isThere, isOfRun } = await tenureOf(
    {
      ...{ stack: name, ttlMinutes: config.ttlMinutes, chosenTtlMinutes: ttlMinutes, memoryMb, dockerHost },
      region: host.region,
      env: { ...process.env, ...engine.env },
      obstacle: problems.length === 0 ? undefined : new ConfigError(problems, settings.source),
    },
    { stacks, engine: host.engine },
  );
  if (ttlMinutes !== undefined && Date.parse(lease.expiresAt) > Date.now() + ttlMinutes * 60_000) {
    progress.note(
      `${name} lives longer than --ttl says already, until ${lease.expiresAt}: "down" would end it earlier`,
    );
  }
  if (isOfRun) {
    // One that didn't come up to the end has no outputs, and no host to be used either.
    const outputs = await stacks.outputsOf(name).catch(() => undefined);
    if (outputs !== undefined) await prolongHost(outputs, ownFolder, lease.expiresAt);
    progress.note(`${name} lives until ${lease.expiresAt}. Destroy it: ${destroyCommandOf(name)}`);
    return exitCodes.go;
  }
  await destroyDeadRunnersStacks({
    environment: setUpHere,
    engine: host.engine,
    clouds: [],
    checkout,
    progress,
    signal,
  });
  try {
    await takeRoom({ ...lease, memoryMb }, host, signal, progress);
  } catch (error) {
    if (signal.aborted) return exitCodes.interrupted;
    throw error;
  }
  const folder = path.join(checkout, stacksFolder);
  const project = await projectFolder(checkout, folder, name, (line) => {
    progress.note(line);
  });
  const request = { name, project, logFolder: path.join(folder, name), config: chosen };
  const open = (): Promise<Stack> => stacks.open(request);
  const opened = await rememberingSettings({ checkout, project, stack: name }, open).catch(
    async (error: unknown) => {
      if (!isThere) await removeLease(lease);
      throw error;
    },
  );
  const stack = host.reached(opened, name);
  const step = progress.step(`stack ${name}`);
  try {
    const outputs = await stack.up({
      timeoutMs: upTimeoutMs,
      signal,
      onLine: (line) => {
        step.update(line);
      },
    });
    const expiresAt = latest(outputs.expiresAt, lease.expiresAt);
    // Parts may have been made long ago, by an `up` that failed.
    if (expiresAt !== outputs.expiresAt) {
      await stacks.extend(name, expiresAt);
      await prolongHost(outputs, ownFolder, expiresAt);
    }
    await settleSize({ ...lease, memoryMb, expiresAt });
    step.done(`up until ${expiresAt}`);
    process.stdout.write(`${describeEnvironment(name, outputs, expiresAt)}\n`);
    return exitCodes.go;
  } catch (error) {
    step.fail(signal.aborted ? 'interrupted' : 'failed');
    progress.note(
      `What is up stays for a look, until ${lease.expiresAt} at most. Destroy it: ${stack.destroyCommand}`,
    );
    if (signal.aborted) return exitCodes.interrupted;
    throw error;
  }
}

/** Waits until the environment fits beside the others, and lets them see it. What it has already, it needn't wait for. */
async function takeRoom(
  lease: Lease,
  { engine, room }: RunHost,
  signal: AbortSignal,
  progress: Progress,
): Promise<void> {
  const { stack, memoryMb } = lease;
  const take = (): Promise<void> => writeLease(lease);
  const hasMb = (await engine.limitsByStack()).get(stack) ?? 0;
  if (hasMb >= memoryMb) return take();
  const waiting = showWaiting(stack, progress, {});
  try {
    const wait = { signal, isNeeded: () => true, onWait: waiting.tell };
    await room.enter(stack, memoryMb, take, wait);
  } finally {
    waiting.end();
  }
}

/** Unless `down` was quicker. */
async function settleSize(lease: Lease): Promise<void> {
  await underLease(lease, async (found) => {
    if (found !== undefined)
      await writeLease({ ...lease, expiresAt: latest(lease.expiresAt, found.expiresAt) });
  });
}

/** Addresses without passwords, and what to do next. */
function describeEnvironment(
  name: string,
  { endpoints, memoryMb, profile }: Outputs,
  expiresAt: string,
): string {
  const table = new Table({ head: ['what', 'where'], ...plain });
  table.push(...addresses(endpoints));
  return [
    `Environment ${name}: profile ${profile}, ${String(memoryMb)} MiB of limits, lives until ${expiresAt}`,
    table.toString(),
    `Passwords:    npm run pulumi -- stack output endpoints --show-secrets --stack ${name}`,
    `Run a suite:  npm run rehearsal -- test --stack ${name} --suite websocket-agent-events`,
    `Prolong it:   npm run rehearsal -- up --stack ${name} --ttl 4h`,
    `Destroy it:   npm run rehearsal -- down --stack ${name}`,
  ].join('\n');
}

function addresses({ postgres, pgbouncer, redis, clickhouse, ...urls }: Endpoints): [string, string][] {
  const at = ({ host, port }: { host: string; port: number }): string => `${host}:${String(port)}`;
  return [
    ['chat page', urls.frontendUrl],
    ['backend', urls.backendUrl],
    ['backend, WebSocket', urls.backendWebSocketUrl],
    ['auth', urls.authUrl],
    ['LLM', urls.llmUrl],
    ['PostgreSQL', at(postgres)],
    ['PostgreSQL by PgBouncer', at(pgbouncer)],
    ['Redis', at(redis)],
    ['ClickHouse', clickhouse.url],
  ];
}
