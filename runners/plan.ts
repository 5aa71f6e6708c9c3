import { userInfo } from 'node:os';
import path from 'node:path';
import {
  ConfigError,
  configNamespace,
  parseConfig,
  resolveEnvironment,
  type EnvironmentSpec,
  type StackConfig,
} from '../components/config.js';
import { sizeAwsHost } from '../components/hosts/aws-sizing.js';
import type { SshTarget } from '../engine/ssh/target.js';
import { branchUnderTest } from './branch.js';
import { awsRoundTripMinutes, type AwsPlan } from './cost.js';
import { targetOfConfig } from './hosts/target.js';
import { newRunId, slugOf } from './names.js';
import { readSettings, type Settings } from './settings.js';
import { allSuites, chooseSuites, type Suite } from './suites.js';

/** How many suites run at once; `auto` is as many as the host's memory and cores allow. */
export type Jobs = number | 'auto';

export interface Choices {
  /** Name of the stack whose settings file counts. */
  stack?: string;
  profile?: string;
  suites: readonly string[];
  categories: readonly string[];
  keepOnFailure: boolean;
  /** All suites at once in one environment, instead of one each. */
  together?: boolean;
  /** Instead of the settings' time to live. */
  ttlMinutes?: number;
  /** 1 by default. */
  jobs?: Jobs;
  users: number;
}

/** Everything about a run that is decided before anything is started. */
export interface Plan {
  runId: string;
  /** Takes the run's artifacts. */
  folder: string;
  labels: { branch: string; owner: string };
  settings: Settings;
  environment: EnvironmentSpec;
  /** The machine that the settings choose instead of this one. */
  target?: SshTarget | undefined;
  /** The instances that the settings choose to have made. */
  aws?: AwsPlan;
  llm: 'stand-in' | `external: ${string}`;
  suites: Suite[];
  /** Names of the suites that a full run has besides. */
  notChosen: string[];
  keepOnFailure: boolean;
  /** All suites at once in one environment, which they share. */
  together: boolean;
  jobs: Jobs;
  /** Of each environment, from its start. */
  ttlMinutes: number;
  users: number;
}

/** Where runs keep their artifacts, relative to the checkout. */
export const runsFolder = path.join('.rehearsal', 'runs');

/** A suite's copy of the endpoints. Holds passwords: it goes with the environment. */
export const environmentFileName = 'environment.json';

/** Who runs it; a container's user may have no name. */
function ownerName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env['USER'] || `uid ${String(process.getuid?.())}`;
  }
}

/**
 * @param note takes what people should know about the settings.
 * @throws ConfigError with everything that is wrong with the settings and the choices.
 */
export async function makePlan(
  choices: Choices,
  checkout: string,
  note: (line: string) => void,
): Promise<Plan> {
  const settings = await readSettings({ checkout, stack: choices.stack, note });
  if (choices.profile !== undefined) settings.config[`${configNamespace}:profile`] = choices.profile;
  if (choices.ttlMinutes !== undefined) settings.config[ttlKey] = choices.ttlMinutes;
  const config = parseConfig(settings.config, settings.source);
  const all = allSuites(config, checkout);
  const problems: string[] = [];
  const environment = attempt(() => resolveEnvironment(config, settings.source), problems);
  const suites = attempt(() => chooseSuites(all, choices.suites, choices.categories), problems);
  problems.push(...ttlProblems(config, suites ?? []));
  if (problems.length > 0 || environment === undefined || suites === undefined)
    throw new ConfigError(problems, settings.source);
  const runId = newRunId(Date.now());
  return {
    runId,
    folder: path.join(checkout, runsFolder, runId),
    labels: { branch: slugOf(branchUnderTest(checkout)), owner: ownerName() },
    settings,
    environment,
    target: targetOfConfig(config),
    ...awsPlanOf(config, environment),
    llm: describeLlm(config.llm),
    suites,
    notChosen: all.filter((suite) => !suites.includes(suite)).map(({ name }) => name),
    keepOnFailure: choices.keepOnFailure,
    together: choices.together ?? false,
    jobs: choices.jobs ?? 1,
    ttlMinutes: config.ttlMinutes,
    users: choices.users,
  };
}

export function awsPlanOf({ host }: StackConfig, environment: EnvironmentSpec): { aws?: AwsPlan } {
  if (host.kind !== 'aws') return {};
  const sized = sizeAwsHost(environment, host);
  // What is wrong with it was told with the environment's other problems.
  return 'size' in sized ? { aws: { ...sized.size, region: host.region, spot: host.spot } } : {};
}

const ttlKey = `${configNamespace}:ttlMinutes`;
/** For an environment to come up and go, beside its suite's own time. */
const roundTripMinutes = 10;

/** An environment that expires before its suite has ended is anybody's to collect. */
function ttlProblems({ ttlMinutes, host }: StackConfig, suites: readonly Suite[]): string[] {
  const longestMs = Math.max(0, ...suites.map(({ timeoutMs }) => timeoutMs));
  const leastMinutes =
    Math.ceil(longestMs / 60_000) + (host.kind === 'aws' ? awsRoundTripMinutes : roundTripMinutes);
  if (ttlMinutes >= leastMinutes) return [];
  const needed = `the longest suite and its environment may take ${String(leastMinutes)} minutes`;
  return [`${ttlKey} (--ttl) is ${String(ttlMinutes)}: ${needed}`];
}

function describeLlm(llm: StackConfig['llm']): Plan['llm'] {
  return llm === undefined ? 'stand-in' : `external: ${llm.model} at ${new URL(llm.baseUrl).host}`;
}

/** A check's result, or its problems added to those of the others. */
function attempt<T>(check: () => T, problems: string[]): T | undefined {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}
