import * as docker from '@pulumi/docker';
import * as pulumi from '@pulumi/pulumi';
import { Auth } from './auth.js';
import { Backend } from './backend.js';
import { ClickHouse, clickhousePort, eventLog } from './clickhouse.js';
import type { EnvironmentSpec, ServiceSpec } from './config.js';
import { Frontend } from './frontend.js';
import type { Host, MadeWith } from './hosts/host.js';
import { labelKeys, type RunLabels } from './labels.js';
import { Llm, llmPort } from './llm.js';
import type { Endpoints, Outputs } from './outputs.js';
import { PgBouncer, pgbouncerPort } from './pgbouncer.js';
import { database, Postgres } from './postgres.js';
import { Redis, redisPort } from './redis.js';
import type { EnvironmentContext, ServiceContainer } from './service-container.js';
import type { ServiceName } from './services.js';
import { StackValues } from './stack-values.js';

export interface TestEnvironmentArgs {
  spec: EnvironmentSpec;
  /** Where it runs: a host that is there, or how to make one. */
  host: Host | ((made: MadeWith) => Host);
  labels: RunLabels;
  ttlMinutes: number;
  /** Containers are made once it resolves. */
  mayStart: Promise<unknown>;
  /** An OpenAI-compatible server to use instead of the stand-in. */
  llm?: { baseUrl: string; model: string; apiKey: pulumi.Input<string> };
}

/** A whole staging-like environment on a network of its own. */
export class TestEnvironment extends pulumi.ComponentResource {
  readonly outputs: { [K in keyof Outputs]: pulumi.Input<Outputs[K]> };

  constructor(name: string, args: TestEnvironmentArgs, options: pulumi.ComponentResourceOptions = {}) {
    const machine: { resource?: pulumi.Resource } = {};
    const transformations = [...(options.transformations ?? []), goesWith(machine)];
    super('rehearsal:index:TestEnvironment', name, {}, { ...options, transformations });
    const { spec } = args;
    const values = new StackValues(`${name}-values`, { ttlMinutes: args.ttlMinutes }, { parent: this });
    const labels = values.expiresAt.apply((expiresAt) => ({
      [labelKeys.run]: args.labels.run,
      [labelKeys.suite]: args.labels.suite,
      [labelKeys.branch]: args.labels.branch,
      [labelKeys.owner]: args.labels.owner,
      [labelKeys.stack]: args.labels.stack,
      [labelKeys.expiresAt]: expiresAt,
    }));
    const host =
      typeof args.host === 'function'
        ? args.host({ parent: this, labels, expiresAt: values.expiresAt })
        : args.host;
    if (host.machine !== undefined) machine.resource = host.machine;
    const { dockerHost } = host;
    const provider = new docker.Provider(`${name}-docker`, { host: dockerHost }, { parent: this });
    const parent = { parent: this, providers: [provider] };
    const network = new docker.Network(
      `${name}-network`,
      {
        driver: 'bridge',
        ipamConfigs: [{ subnet: host.subnet }],
        labels: labels.apply((entries) =>
          Object.entries(entries).map(([label, value]) => ({ label, value })),
        ),
      },
      // Each `up` finds another free subnet, the network keeps its first one; a new network can't have it as well.
      { parent: this, provider, ignoreChanges: ['ipamConfigs'], deleteBeforeReplace: true },
    );
    const context: EnvironmentContext = {
      dockerHost,
      reach: host.reach,
      network: pulumi.all([network.name, args.mayStart]).apply(([name]) => name),
      labels,
    };
    const forService = (service: ServiceName): { context: EnvironmentContext; spec: ServiceSpec } => ({
      context,
      spec: spec.services[service],
    });

    const postgres = new Postgres(
      'postgres',
      { ...forService('postgres'), sharedBuffersMb: spec.sharedBuffersMb, password: values.postgresPassword },
      parent,
    );
    const redis = new Redis(
      'redis',
      { ...forService('redis'), maxmemoryMb: spec.maxmemoryMb, password: values.redisPassword },
      parent,
    );
    const clickhouse = new ClickHouse(
      'clickhouse',
      { ...forService('clickhouse'), password: values.clickhousePassword },
      parent,
    );
    const llm = new Llm('llm', forService('llm'), parent);
    const pgbouncer = new PgBouncer(
      'pgbouncer',
      { ...forService('pgbouncer'), password: values.postgresPassword, postgres },
      parent,
    );
    const shared = {
      databaseUrl: pulumi.interpolate`postgresql://${database.user}:${values.postgresPassword}@pgbouncer:${pgbouncerPort}/${database.name}`,
      redisUrl: pulumi.interpolate`redis://:${values.redisPassword}@redis:${redisPort}`,
      tokenSecret: values.tokenSecret,
    };
    const standIn = { baseUrl: `http://llm:${llmPort}/v1`, model: 'stand-in', apiKey: '' };
    const auth = new Auth('auth', { ...forService('auth'), ...shared, after: [pgbouncer, redis] }, parent);
    const backend = new Backend(
      'backend',
      {
        ...forService('backend'),
        ...shared,
        workers: spec.workers,
        clickhouse: {
          url: `http://clickhouse:${clickhousePort}`,
          ...eventLog,
          password: values.clickhousePassword,
        },
        llm: args.llm ?? standIn,
        after: [pgbouncer, redis, clickhouse, llm],
      },
      parent,
    );
    const frontend = new Frontend('frontend', forService('frontend'), parent);

    const services = { postgres, redis, clickhouse, pgbouncer, llm, auth, backend, frontend };
    this.outputs = {
      profile: spec.profile,
      budgetMb: spec.budgetMb,
      memoryMb: spec.memoryMb,
      host: host.outputs,
      network: network.name,
      services: pulumi.all(
        Object.fromEntries(
          Object.entries(services).map(([service, container]) => [
            service,
            describeService(container, spec.services[service as ServiceName]),
          ]),
        ) as Record<ServiceName, pulumi.Output<Outputs['services'][ServiceName]>>,
      ),
      llm: {
        kind: args.llm === undefined ? 'stand-in' : 'external',
        baseUrl: (args.llm ?? standIn).baseUrl,
        model: (args.llm ?? standIn).model,
      },
      expiresAt: values.expiresAt,
      ...(host.target === undefined ? {} : { target: host.target }),
      endpoints: endpointsOf(services, values),
    };
    this.registerOutputs(this.outputs);
  }
}

/**
 * Lets every Docker resource below go with its machine: destroying the machine is enough, and possible when nothing on it
 * answers any more.
 */
const goesWith =
  (machine: { resource?: pulumi.Resource }): pulumi.ResourceTransformation =>
  ({ type, props, opts }) =>
    machine.resource !== undefined && type.startsWith('docker:')
      ? { props, opts: pulumi.mergeOptions(opts, { deletedWith: machine.resource }) }
      : undefined;

function describeService(
  container: ServiceContainer,
  spec: ServiceSpec,
): pulumi.Output<Outputs['services'][ServiceName]> {
  const { containerId, containerName, imageId, port } = container;
  return pulumi.output({
    containerId,
    containerName,
    image: spec.image,
    imageId,
    memoryMb: spec.memoryMb,
    port,
  });
}

function endpointsOf(
  services: Record<ServiceName, ServiceContainer>,
  values: StackValues,
): pulumi.Output<Endpoints> {
  const host = '127.0.0.1';
  const url = (service: ServiceName, scheme = 'http'): pulumi.Output<string> =>
    pulumi.interpolate`${scheme}://${host}:${services[service].port}`;
  const login = { host, user: database.user, password: values.postgresPassword, database: database.name };
  return pulumi.secret({
    frontendUrl: url('frontend'),
    authUrl: url('auth'),
    backendUrl: url('backend'),
    backendWebSocketUrl: pulumi.interpolate`${url('backend', 'ws')}/ws`,
    llmUrl: url('llm'),
    postgres: { ...login, port: services.postgres.port },
    pgbouncer: { ...login, port: services.pgbouncer.port },
    redis: { host, port: services.redis.port, password: values.redisPassword },
    clickhouse: { url: url('clickhouse'), ...eventLog, password: values.clickhousePassword },
  });
}
