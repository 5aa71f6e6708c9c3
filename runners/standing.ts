import path from 'node:path';
import Table from 'cli-table3';
import { ConfigError, configNamespace, parseConfig, resolveEnvironment } from '../components/config.js';
import type { Endpoints, Outputs } from '../components/outputs.js';
import { hostProblems } from '../components/sizing.js';
import { connectDocker } from '../engine/docker.js';
import type { Progress } from '../engine/progress.js';
import { setUp } from '../engine/setup.js';
import { projectFolder } from '../engine/stack-files.js';
import { dockerEngine } from './docker.js';
import { exitCodes } from './exit-codes.js';
import { listenForInterruption } from './interruption.js';
import { plain } from './report/terminal.js';
import { readSettings } from './settings.js';
import { standingStacks, type StandingStacks } from './stack.js';

export interface UpChoices {
  stack: string;
  profile?: string;
  ttlMinutes?: number;
}

/** Where stacks that outlive a command keep their logs, relative to the checkout. */
export const stacksFolder = path.join('.rehearsal', 'stacks');
const upTimeoutMs = 10 * 60_000;

/**
 * Brings up an environment that stays up, or brings one up to date, and says how to reach it.
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
  const engine = await setUp({ progress });
  const { memoryMb } = await dockerEngine(connectDocker(engine.dockerHost)).host();
  const problems = hostProblems(environment, memoryMb);
  if (problems.length > 0) throw new ConfigError(problems, settings.source);

  const stacks = standingStacks(engine, checkout);
  if (ttlMinutes !== undefined) await refuseNewTtl(name, stacks);
  const folder = path.join(checkout, stacksFolder);
  const project = await projectFolder(checkout, folder, name, note);
  const stack = await stacks.open({ name, project, logFolder: path.join(folder, name), config: chosen });
  const { stop: signal } = listenForInterruption(() => {
    progress.note('Interrupted: Pulumi ends what it has begun.');
  });
  const step = progress.step(`stack ${name}`);
  try {
    const outputs = await stack.up({
      timeoutMs: upTimeoutMs,
      signal,
      onLine: (line) => {
        step.update(line);
      },
    });
    step.done(`up until ${outputs.expiresAt}`);
    process.stdout.write(`${describeEnvironment(name, outputs)}\n`);
    return exitCodes.go;
  } catch (error) {
    step.fail(signal.aborted ? 'interrupted' : 'failed');
    progress.note(`What is up stays for a look. Destroy it: ${stack.destroyCommand}`);
    if (signal.aborted) return exitCodes.interrupted;
    throw error;
  }
}

/** The expiry is on the containers' labels, and a container's labels can't change. */
async function refuseNewTtl(name: string, stacks: StandingStacks): Promise<void> {
  if (!(await stacks.names()).includes(name)) return;
  const outputs = await stacks.outputsOf(name).catch(() => undefined);
  if (outputs === undefined) return; // It never came up: nothing has an expiry yet.
  throw new ConfigError(
    [
      `--ttl: stack ${name} is up and lives until ${outputs.expiresAt}, which was set when it was made: ` +
        `leave the option out, or bring the stack down first (npm run rehearsal -- down --stack ${name})`,
    ],
    'the command line',
  );
}

/** Addresses without passwords, and what to do next. */
function describeEnvironment(name: string, { endpoints, memoryMb, profile, expiresAt }: Outputs): string {
  const table = new Table({ head: ['what', 'where'], ...plain });
  table.push(...addresses(endpoints));
  return [
    `Environment ${name}: profile ${profile}, ${String(memoryMb)} MiB of limits, meant to live until ${expiresAt}`,
    table.toString(),
    `Passwords:    npm run pulumi -- stack output endpoints --show-secrets --stack ${name}`,
    `Run a suite:  npm run rehearsal -- test --stack ${name} --suite websocket-agent-events`,
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
