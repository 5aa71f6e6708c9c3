import type Docker from 'dockerode';
import * as z from 'zod';
import { labelKeys } from '../components/labels.js';
import type { Endpoints, Outputs } from '../components/outputs.js';
import { serviceNames, type ServiceName } from '../components/services.js';

/** One service as the engine really runs it. Its environment holds passwords. */
export interface ServiceBlueprint {
  image: string;
  command: readonly string[];
  environment: readonly string[];
  user: string;
  hostname: string;
  memoryBytes: number;
  memorySwapBytes: number;
  /** 0: the engine's default. */
  cpuShares: number;
  pidsLimit: number;
  readOnly: boolean;
  tmpfs: Readonly<Record<string, string>>;
  capDrop: readonly string[];
  securityOptions: readonly string[];
  log: { driver: string; options: Readonly<Record<string, string>> };
  healthCheck: Required<
    Pick<Docker.HealthConfig, 'Test' | 'Interval' | 'Timeout' | 'Retries' | 'StartPeriod'>
  >;
  /** It listens on, inside its container. */
  port: number;
  /** Where its named volume is. */
  dataPath?: string;
  /** Services that are ready before it is started. */
  after: readonly ServiceName[];
}

/** An environment of ours, so that others can make the same. */
export interface Blueprint {
  services: Readonly<Record<ServiceName, ServiceBlueprint>>;
  /** As the suites have them, with the ports of ours. */
  endpoints: Endpoints;
}

/**
 * Reads an environment that is up from the engine, which knows what our limits, checks and options came to, and the
 * order from the stack's state.
 * @param exported what `pulumi stack export` prints.
 */
export async function readBlueprint(docker: Docker, outputs: Outputs, exported: string): Promise<Blueprint> {
  const order = orderOf(exported);
  const entries = await Promise.all(
    serviceNames.map(async (service) => {
      const inspected = await docker.getContainer(outputs.services[service].containerId).inspect();
      return [
        service,
        blueprintOf(inspected, outputs.services[service].image, order[service] ?? []),
      ] as const;
    }),
  );
  return {
    services: Object.fromEntries(entries) as unknown as Blueprint['services'],
    endpoints: outputs.endpoints,
  };
}

export function blueprintOf(
  { Config, HostConfig, Mounts }: Docker.ContainerInspectInfo,
  image: string,
  after: readonly ServiceName[],
): ServiceBlueprint {
  const { Healthcheck: check, Cmd } = Config as { Healthcheck?: Docker.HealthConfig; Cmd: string[] | null };
  const port = Number(Object.keys(HostConfig.PortBindings as object)[0]?.split('/')[0]);
  const dataPath = Mounts.find(({ Type }) => Type === 'volume')?.Destination;
  return {
    image,
    command: Cmd ?? [],
    environment: Config.Env,
    user: Config.User,
    hostname: Config.Hostname,
    memoryBytes: HostConfig.Memory ?? 0,
    memorySwapBytes: HostConfig.MemorySwap ?? 0,
    cpuShares: HostConfig.CpuShares ?? 0,
    pidsLimit: HostConfig.PidsLimit ?? 0,
    readOnly: HostConfig.ReadonlyRootfs ?? false,
    tmpfs: HostConfig.Tmpfs ?? {},
    capDrop: (HostConfig.CapDrop as string[] | undefined) ?? [],
    securityOptions: (HostConfig.SecurityOpt as string[] | undefined) ?? [],
    log: {
      driver: HostConfig.LogConfig?.Type ?? '',
      options: (HostConfig.LogConfig?.Config as Record<string, string> | undefined) ?? {},
    },
    healthCheck: {
      Test: check?.Test ?? [],
      Interval: check?.Interval ?? 0,
      Timeout: check?.Timeout ?? 0,
      Retries: check?.Retries ?? 0,
      StartPeriod: check?.StartPeriod ?? 0,
    },
    port,
    ...(dataPath === undefined ? {} : { dataPath }),
    after,
  };
}

const stateSchema = z.object({ deployment: z.object({ resources: z.array(z.unknown()) }) });
const containerSchema = z.object({
  type: z.literal('docker:index/container:Container'),
  urn: z.string(),
  dependencies: z.array(z.string()).default([]),
  inputs: z.object({ labels: z.array(z.object({ label: z.string(), value: z.string() })) }),
});

/**
 * Which services each service waits for, as the stack's state has it.
 * @param exported what `pulumi stack export` prints.
 */
export function orderOf(exported: string): Partial<Record<ServiceName, ServiceName[]>> {
  const { deployment } = stateSchema.parse(JSON.parse(exported));
  const containers = deployment.resources.flatMap(
    (resource) => containerSchema.safeParse(resource).data ?? [],
  );
  const serviceOf = new Map(
    containers.map(({ urn, inputs }) => [
      urn,
      inputs.labels.find(({ label }) => label === labelKeys.service)?.value as ServiceName,
    ]),
  );
  return Object.fromEntries(
    containers.map(({ urn, dependencies }): [string, ServiceName[]] => [
      serviceOf.get(urn) ?? '',
      dependencies.flatMap((dependency) => serviceOf.get(dependency) ?? []),
    ]),
  );
}

/** What a suite needs to reach an environment like ours that has other ports. */
export function endpointsAt(
  { endpoints }: Blueprint,
  ports: Readonly<Record<ServiceName, number>>,
): Endpoints {
  const moved = (url: string, service: ServiceName): string => {
    const changed = new URL(url);
    changed.port = String(ports[service]);
    return changed.href.replace(/\/$/, '');
  };
  return {
    frontendUrl: moved(endpoints.frontendUrl, 'frontend'),
    authUrl: moved(endpoints.authUrl, 'auth'),
    backendUrl: moved(endpoints.backendUrl, 'backend'),
    backendWebSocketUrl: moved(endpoints.backendWebSocketUrl, 'backend'),
    llmUrl: moved(endpoints.llmUrl, 'llm'),
    postgres: { ...endpoints.postgres, port: ports.postgres },
    pgbouncer: { ...endpoints.pgbouncer, port: ports.pgbouncer },
    redis: { ...endpoints.redis, port: ports.redis },
    clickhouse: { ...endpoints.clickhouse, url: moved(endpoints.clickhouse.url, 'clickhouse') },
  };
}
