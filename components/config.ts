import * as z from 'zod';
import { imageReference } from '../images/manifest.js';
import { sizeAwsHost } from './hosts/aws-sizing.js';
import { hostSchema } from './hosts/settings.js';
import { budgetProblems } from './sizing.js';
import {
  leastMemoryMb,
  leastWorkerMb,
  profileNames,
  profiles,
  serviceNames,
  type HealthCheckTiming,
  type ProfileName,
  type ServiceName,
} from './services.js';
import { strict } from './strict.js';

/** The namespace of every key in `Pulumi.<stack>.yaml`: the project's name. */
export const configNamespace = 'rehearsal';

/** Names allowed for suites and, with the stack's name, in labels: safe in file names and host names. */
const nameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes, at most 63');
/** As text once Pulumi decrypted it, as `{secure}` in the file. */
const secretSchema = z.strictObject({ secure: z.string() });
const commandSchema = z.array(z.string().min(1)).min(1);

const healthCheckShape = {
  intervalSeconds: z.int().min(1).max(3600).optional(),
  timeoutSeconds: z.int().min(1).max(3600).optional(),
  retries: z.int().min(1).max(1000).optional(),
  startPeriodSeconds: z.int().min(0).max(3600).optional(),
  /** Runs inside the container, exit code 0 = healthy. */
  command: commandSchema.optional(),
};

const serviceShape = {
  image: z.string().min(1).optional(),
  command: commandSchema.optional(),
  environment: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a name of an environment variable'),
      z.union([z.string(), secretSchema], { error: 'allowed is a text, or a secret' }),
    )
    .optional(),
  memoryMb: z.int().min(6).optional(),
  healthCheck: strict(healthCheckShape).optional(),
};

const servicesShape = {
  postgres: strict({ ...serviceShape, sharedBuffersMb: z.int().min(1).optional() }).optional(),
  redis: strict({ ...serviceShape, maxmemoryMb: z.int().min(1).optional() }).optional(),
  clickhouse: strict(serviceShape).optional(),
  pgbouncer: strict(serviceShape).optional(),
  llm: strict(serviceShape).optional(),
  auth: strict(serviceShape).optional(),
  backend: strict({ ...serviceShape, workers: z.int().min(1).max(64).optional() }).optional(),
  frontend: strict(serviceShape).optional(),
} satisfies Record<ServiceName, z.ZodType>;

const suiteSchema = strict({
  name: nameSchema,
  command: commandSchema,
  timeoutSeconds: z.int().min(1).max(86_400),
});

/** A suite's stack, lease and folder are called after it. */
function refuseNamesakes(suites: readonly { name: string }[], context: z.RefinementCtx): void {
  for (const [index, { name }] of suites.entries()) {
    if (suites.findIndex((other) => other.name === name) === index) continue;
    context.addIssue({
      ...{ code: 'custom', path: [index, 'name'], input: name },
      message: 'allowed is a name that no other suite has',
    });
  }
}

/** Every key that a stack's configuration may have, without the namespace. */
const configShape = {
  profile: z.enum(profileNames).default('standard'),
  /** The most that Σ(limits) may be; the profile's own figure by default. */
  budgetMb: z.int().min(1).optional(),
  services: strict(servicesShape).default({}),
  /** An OpenAI-compatible server instead of the scripted llm service. */
  llm: strict({ baseUrl: z.url({ protocol: /^https?$/ }), model: z.string().min(1) }).optional(),
  llmApiKey: z.union([z.string(), secretSchema]).optional(),
  /** Where the environment runs: the Docker Engine of this machine's own context by default. */
  host: hostSchema.default({ kind: 'local' }),
  /** Time to live of a stack, from its first `up`. */
  ttlMinutes: z.int().min(1).max(10_080).default(240),
  /** Set by the runner: what the stack's resources are labelled with. */
  run: strict({
    id: nameSchema,
    suite: nameSchema,
    branch: nameSchema,
    owner: z.string().min(1).max(128),
  }).optional(),
  /** Suites of the user's own, instead of the five critical ones. */
  suites: z.array(suiteSchema).min(1).superRefine(refuseNamesakes).optional(),
};
const configSchema = strict(configShape);
export type StackConfig = z.infer<typeof configSchema>;

/** One service as it will run. */
export interface ServiceSpec {
  name: ServiceName;
  image: string;
  command?: string[];
  /** What is still encrypted isn't in it: only Pulumi's program has that. */
  environment: Record<string, string>;
  /** Names of the variables that are secret. */
  secretVariables: string[];
  memoryMb: number;
  healthCheck: HealthCheckTiming & { command?: string[] };
}

/** A whole environment with every default filled in. */
export interface EnvironmentSpec {
  profile: ProfileName;
  budgetMb: number;
  /** Σ(limits). */
  memoryMb: number;
  services: Record<ServiceName, ServiceSpec>;
  sharedBuffersMb: number;
  maxmemoryMb: number;
  workers: number;
}

/** Everything that is wrong with a configuration, at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(
    readonly problems: readonly string[],
    source: string,
  ) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    super(`${count} in ${source}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

/**
 * Validates a stack's configuration.
 * @param raw values by key (`rehearsal:profile`), as `Pulumi.<stack>.yaml` or `pulumi.runtime.allConfig()`
 *   has them; keys of other namespaces (`docker:host`) are left to their providers.
 * @param source where the values come from, for the error's message.
 * @param secretKeys keys, without the namespace, in which Pulumi decrypted something: no error shows their values.
 * @throws ConfigError
 */
export function parseConfig(
  raw: Readonly<Record<string, unknown>>,
  source: string,
  secretKeys: readonly string[] = [],
): StackConfig {
  const own: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(raw)) {
    const [namespace, name] = splitKey(key);
    if (namespace === configNamespace) own[name] = decode(name, value);
  }
  const result = configSchema.safeParse(own);
  if (!result.success) {
    throw new ConfigError(
      result.error.issues.flatMap((issue) => describe(issue, own, ['llmApiKey', ...secretKeys])),
      source,
    );
  }
  return result.data;
}

/**
 * Fills in the profile's values and checks what the schema can't: least memory, settings inside their limits,
 * Σ(limits) inside the budget.
 * @param secretServices whether Pulumi decrypted something in `services`: it doesn't tell what, so all is secret.
 * @throws ConfigError with every problem; the budget's names who asks for what.
 */
export function resolveEnvironment(
  config: StackConfig,
  source: string,
  secretServices = false,
): EnvironmentSpec {
  const profile = profiles[config.profile];
  const services = Object.fromEntries(
    serviceNames.map((name) => [name, resolveService(name, config, secretServices)]),
  ) as Record<ServiceName, ServiceSpec>;
  const spec: EnvironmentSpec = {
    profile: config.profile,
    budgetMb: config.budgetMb ?? profile.budgetMb,
    memoryMb: serviceNames.reduce((sum, name) => sum + services[name].memoryMb, 0),
    services,
    sharedBuffersMb: config.services.postgres?.sharedBuffersMb ?? profile.sharedBuffersMb,
    maxmemoryMb: config.services.redis?.maxmemoryMb ?? profile.maxmemoryMb,
    workers: config.services.backend?.workers ?? profile.workers,
  };
  const problems = [...limitProblems(config, spec), ...budgetProblems(spec)];
  if (config.host.kind === 'aws') {
    const sized = sizeAwsHost(spec, config.host);
    if ('problems' in sized) problems.push(...sized.problems);
  }
  if (problems.length > 0) throw new ConfigError(problems, source);
  return spec;
}

function resolveService(name: ServiceName, config: StackConfig, secretServices: boolean): ServiceSpec {
  const defaults = profiles[config.profile].services[name];
  const overrides = config.services[name];
  const variables = Object.entries(overrides?.environment ?? {});
  const plain = variables.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  const secret = variables.filter(([, value]) => secretServices || typeof value !== 'string');
  return {
    name,
    image: overrides?.image ?? imageReference(name),
    ...(overrides?.command === undefined ? {} : { command: overrides.command }),
    environment: Object.fromEntries(plain),
    secretVariables: secret.map(([variable]) => variable),
    memoryMb: overrides?.memoryMb ?? defaults.memoryMb,
    healthCheck: { ...defaults.healthCheck, ...defined(overrides?.healthCheck ?? {}) },
  };
}

function limitProblems(config: StackConfig, spec: EnvironmentSpec): string[] {
  const problems: string[] = [];
  for (const name of serviceNames) {
    const { memoryMb } = spec.services[name];
    const leastMb = leastMemoryMb[name] + (name === 'backend' ? spec.workers * leastWorkerMb : 0);
    // What another image needs isn't known here: its own start will tell.
    if (config.services[name]?.image === undefined && memoryMb < leastMb) {
      problems.push(
        `${configNamespace}:services.${name}.memoryMb is ${memoryMb}: ${name} needs at least ${leastMb} MiB to start`,
      );
    }
  }
  const inside = (key: string, value: number, name: ServiceName): void => {
    const limit = spec.services[name].memoryMb;
    if (value >= limit) {
      problems.push(
        `${configNamespace}:services.${name}.${key} is ${value}: it must be below the service's memory limit of ${limit} MiB`,
      );
    }
  };
  inside('sharedBuffersMb', spec.sharedBuffersMb, 'postgres');
  inside('maxmemoryMb', spec.maxmemoryMb, 'redis');
  return problems;
}

function splitKey(key: string): [namespace: string, name: string] {
  const colon = key.indexOf(':');
  return colon === -1 ? ['', key] : [key.slice(0, colon), key.slice(colon + 1)];
}

const textKeys: ReadonlySet<string> = new Set(['profile', 'llmApiKey']);

/** Pulumi hands objects and numbers to a program as JSON text, the file has them as they are. */
function decode(key: string, value: unknown): unknown {
  if (typeof value !== 'string' || textKeys.has(key)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

function describe(issue: z.core.$ZodIssue, own: unknown, secretKeys: readonly string[]): string[] {
  const at = (path: readonly PropertyKey[]): string => `${configNamespace}:${formatPath(path)}`;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${at([...issue.path, key])} is not a known key: ${issue.message}`);
  }
  const value = issue.path.reduce<unknown>(
    (parent, key) => (typeof parent === 'object' && parent !== null ? Reflect.get(parent, key) : undefined),
    own,
  );
  // A secret of the wrong shape is still a secret.
  const shown = secretKeys.includes(String(issue.path[0]))
    ? 'not shown'
    : value === undefined
      ? 'missing'
      : JSON.stringify(value);
  return [`${at(issue.path)} is ${shown}: ${issue.message}`];
}

function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
