import * as docker from '@pulumi/docker';
import * as pulumi from '@pulumi/pulumi';
import { connectDocker } from '../engine/docker.js';
import type { ServiceSpec } from './config.js';
import { labelKeys } from './labels.js';
import { waitForService, type Readiness } from './readiness.js';

/** What every service of one environment shares. */
export interface EnvironmentContext {
  /** Address of the Docker Engine, `unix://…` or the like, known once that answers. */
  dockerHost: pulumi.Input<string>;
  /** From a port that a container publishes to the one that leads there from here. */
  reach: (port: number) => Promise<number>;
  /** Name of the network the services find each other on. */
  network: pulumi.Input<string>;
  labels: pulumi.Input<Record<string, string>>;
}

export interface ServiceContainerArgs {
  context: EnvironmentContext;
  spec: ServiceSpec;
  /** Port the service listens on, inside its container. */
  port: number;
  /** Numeric `uid:gid` that its processes run as. */
  user: string;
  environment?: Record<string, pulumi.Input<string>>;
  /** Arguments for the image's entrypoint. */
  command?: string[];
  /** Where its data lives: a named volume is mounted there. */
  dataPath?: string;
  /** Small writable places on the otherwise read-only root, path → mount options. */
  tmpfs?: Record<string, string>;
  /** Its weight for a processor that others want too; 1024 is the weight of a service without. */
  cpuShares?: number;
  readiness?: Readiness;
  /** Services that have to be ready before this one is started. */
  after?: ServiceContainer[];
}

const defaultHealthCommand = ['/usr/local/bin/healthcheck'];
/** The most processes and threads a service may have. */
const pidsLimit = 256;

/** One service: a container with hard limits and a health check, a named volume for its data, and readiness. */
export class ServiceContainer extends pulumi.ComponentResource {
  /** The published port on the host's loopback, chosen by the engine. */
  readonly port: pulumi.Output<number>;
  readonly containerId: pulumi.Output<string>;
  readonly containerName: pulumi.Output<string>;
  readonly imageId: pulumi.Output<string>;
  /** Resolves, always to the same value, once the service answers; rejects as soon as it can't any more. */
  readonly ready: pulumi.Output<true>;

  constructor(name: string, args: ServiceContainerArgs, options: pulumi.ComponentResourceOptions) {
    super('rehearsal:index:ServiceContainer', name, {}, options);
    const { context, spec } = args;
    const parent = { parent: this };
    const labels = pulumi.output(context.labels).apply((shared) =>
      Object.entries({ ...shared, [labelKeys.service]: spec.name }).map(([label, value]) => ({
        label,
        value,
      })),
    );

    const image = new docker.RemoteImage(`${name}-image`, { name: spec.image, keepLocally: true }, parent);
    const volumes =
      args.dataPath === undefined
        ? []
        : [
            {
              volumeName: new docker.Volume(`${name}-data`, { labels }, parent).name,
              containerPath: args.dataPath,
            },
          ];
    const { command: healthCommand = defaultHealthCommand, ...timing } = spec.healthCheck;
    const command = spec.command ?? args.command;
    const container = new docker.Container(
      name,
      {
        image: image.imageId,
        hostname: spec.name,
        ...(command === undefined ? {} : { command }),
        envs: environmentOf({ ...args.environment, ...configured(spec) }),
        labels,
        user: args.user,
        memory: spec.memoryMb,
        // Unset, the daemon allows twice the memory and the difference reads back as drift.
        memorySwap: spec.memoryMb,
        ...(args.cpuShares === undefined ? {} : { cpuShares: args.cpuShares }),
        networksAdvanced: [{ name: context.network, aliases: [spec.name] }],
        ports: [{ internal: args.port, ip: '127.0.0.1' }],
        volumes,
        ...(args.tmpfs === undefined ? {} : { tmpfs: args.tmpfs }),
        readOnly: true,
        capabilities: { drops: ['ALL'] },
        securityOpts: ['no-new-privileges:true'],
        logDriver: 'json-file',
        logOpts: { 'max-size': '10m', 'max-file': '2' },
        healthcheck: {
          tests: ['CMD', ...healthCommand],
          interval: goDuration(timing.intervalSeconds),
          timeout: goDuration(timing.timeoutSeconds),
          retries: timing.retries,
          startPeriod: goDuration(timing.startPeriodSeconds),
        },
        // A container that dies is a fact to report: nothing may start it again.
        restart: 'no',
        mustRun: false,
        wait: false,
      },
      {
        ...parent,
        ...afterOthers(args.after ?? []),
        // The provider would only write these changes down, without applying them to the container.
        replaceOnChanges: ['healthcheck', 'tmpfs'],
      },
    );

    this.containerId = container.id;
    this.containerName = container.name;
    this.imageId = image.imageId;
    this.port = container.ports.apply((ports) => publishedPort(spec.name, ports));
    this.ready = readiness(container.id, args);
    this.registerOutputs({ ready: this.ready });
  }
}

function afterOthers(others: ServiceContainer[]): pulumi.CustomResourceOptions {
  if (others.length === 0) return {};
  return { dependsOn: others.map((other) => other.ready.apply(() => other)) };
}

function readiness(containerId: pulumi.Output<string>, args: ServiceContainerArgs): pulumi.Output<true> {
  // In a preview the id of an unchanged container is known: nothing is waited for there.
  if (pulumi.runtime.isDryRun()) return pulumi.output(true as const);
  const { context, spec } = args;
  const { command = defaultHealthCommand, startPeriodSeconds, retries, intervalSeconds } = spec.healthCheck;
  return pulumi.all([containerId, context.dockerHost]).apply(async ([id, dockerHost]) => {
    const engine = connectDocker(dockerHost);
    // The Docker provider has no property for it; the engine takes it while the container runs.
    await engine.getContainer(id).update({ PidsLimit: pidsLimit });
    await waitForService({
      docker: engine,
      containerId: id,
      service: spec.name,
      readiness: args.readiness ?? { kind: 'exec', command },
      secretVariables: spec.secretVariables,
      reach: context.reach,
      deadlineSeconds: startPeriodSeconds + retries * intervalSeconds,
    });
    // Whoever runs the program may want to know where the time goes.
    performance.mark(`${spec.name} ready`);
    return true as const;
  });
}

/** As the engine spells it when it is read back: `2m30s`, not `150s`, which would read as a change. */
function goDuration(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const parts = [
    hours > 0 ? `${hours}h` : '',
    hours > 0 || minutes > 0 ? `${minutes}m` : '',
    `${seconds % 60}s`,
  ];
  return parts.join('');
}

const configured = ({ environment, secretVariables }: ServiceSpec): Record<string, pulumi.Input<string>> =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      secretVariables.includes(name) ? pulumi.secret(value) : value,
    ]),
  );

/** In a stable order: another order would read as a change and replace the container. */
function environmentOf(environment: Record<string, pulumi.Input<string>>): pulumi.Output<string>[] {
  return Object.entries(environment)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => pulumi.interpolate`${key}=${value}`);
}

function publishedPort(service: string, ports: { external?: number }[] | undefined): number {
  const port = ports?.[0]?.external;
  if (port === undefined) throw new Error(`${service}: the engine reported no published port`);
  return port;
}
