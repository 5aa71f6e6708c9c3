import type Docker from 'dockerode';
import type { ContainerInputs } from './container-inputs.js';
import { parseDuration } from './duration.js';
import { labelsToEngine } from './schema.js';

const mebibyte = 1024 * 1024;

/** The engine's request for a new container. Sizes are MiB in the inputs and bytes here. */
export function createOptions(inputs: ContainerInputs): Docker.ContainerCreateOptions {
  return {
    name: inputs.name,
    Image: inputs.image,
    Hostname: inputs.hostname,
    Domainname: inputs.domainname,
    User: inputs.user,
    WorkingDir: inputs.workingDir,
    Env: inputs.envs?.toSorted(),
    Cmd: nonEmpty(inputs.command),
    Entrypoint: nonEmpty(inputs.entrypoints),
    Labels: labelsToEngine(inputs.labels),
    StopSignal: inputs.stopSignal,
    // 0 is the absence of a value, as in the state.
    StopTimeout: inputs.stopTimeout === 0 ? undefined : inputs.stopTimeout,
    Healthcheck: inputs.healthcheck && healthConfig(inputs.healthcheck),
    ExposedPorts: Object.fromEntries((inputs.ports ?? []).map((port) => [portKey(port), {}])),
    Volumes: Object.fromEntries((inputs.volumes ?? []).map(({ containerPath = '' }) => [containerPath, {}])),
    HostConfig: hostConfig(inputs),
  };
}

function hostConfig(inputs: ContainerInputs): Docker.HostConfig {
  return {
    ...resources(inputs),
    NanoCpus: inputs.cpus === undefined ? undefined : Math.round(Number(inputs.cpus) * 1e9),
    ShmSize: inputs.shmSize === undefined ? undefined : inputs.shmSize * mebibyte,
    RestartPolicy: restartPolicy(inputs),
    AutoRemove: inputs.rm,
    ReadonlyRootfs: inputs.readOnly,
    Init: inputs.init ?? false,
    NetworkMode: inputs.networkMode,
    PortBindings: portBindings(inputs),
    Binds: binds(inputs),
    Tmpfs: inputs.tmpfs,
    LogConfig: { Type: inputs.logDriver ?? '', Config: inputs.logOpts ?? {} },
    CapAdd: inputs.capabilities?.adds?.map(capability),
    CapDrop: inputs.capabilities?.drops?.map(capability),
    SecurityOpt: inputs.securityOpts,
    GroupAdd: inputs.groupAdds,
    Dns: inputs.dns,
    DnsOptions: inputs.dnsOpts,
    DnsSearch: inputs.dnsSearches,
    ExtraHosts: inputs.hosts?.map(({ host, ip }) => `${host}:${ip}`),
    Sysctls: inputs.sysctls,
    Ulimits: inputs.ulimits?.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
  };
}

/** The engine's request for the changes that a container takes while it runs. */
export function updateOptions(inputs: ContainerInputs): Docker.HostConfig {
  return { ...resources(inputs), RestartPolicy: restartPolicy(inputs) };
}

function resources(inputs: ContainerInputs): Docker.HostConfig {
  const { memory = 0, memoryReservation = 0, memorySwap = 0, cpuShares, cpuSet } = inputs;
  return {
    Memory: memory * mebibyte,
    MemoryReservation: memoryReservation * mebibyte,
    // -1 means as much swap as there is.
    MemorySwap: memorySwap > 0 ? memorySwap * mebibyte : memorySwap,
    CpuShares: cpuShares,
    CpusetCpus: cpuSet,
  };
}

/** The long form, which the official provider's client sends and the engine keeps. */
function capability(name: string): string {
  const upper = name.toUpperCase();
  return upper === 'ALL' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
}

const restartPolicy = ({ restart, maxRetryCount }: ContainerInputs): Docker.HostConfig['RestartPolicy'] => ({
  Name: restart,
  MaximumRetryCount: maxRetryCount,
});

type Port = NonNullable<ContainerInputs['ports']>[number];
const portKey = ({ internal, protocol }: Port): string => `${internal}/${protocol}`;

/** Host port 0 lets the engine choose. */
function portBindings({ ports = [] }: ContainerInputs): Docker.PortMap | undefined {
  if (ports.length === 0) return undefined;
  const bindings: Docker.PortMap = {};
  for (const port of ports) {
    (bindings[portKey(port)] ??= []).push({ HostIp: port.ip, HostPort: String(port.external ?? 0) });
  }
  return bindings;
}

/** A volume entry with neither a name nor a host path is an anonymous volume, and needs no binding. */
function binds({ volumes }: ContainerInputs): string[] | undefined {
  return volumes?.flatMap(({ hostPath, volumeName, containerPath = '', readOnly }) => {
    const source = hostPath ?? volumeName;
    return source === undefined ? [] : [`${source}:${containerPath}:${readOnly ? 'ro' : 'rw'}`];
  });
}

function healthConfig(
  check: NonNullable<ContainerInputs['healthcheck']>,
): Docker.HealthConfig & { StartInterval?: number } {
  const startInterval = parseDuration(check.startInterval) ?? 0;
  return {
    Test: check.tests,
    Interval: parseDuration(check.interval),
    Timeout: parseDuration(check.timeout),
    StartPeriod: parseDuration(check.startPeriod),
    Retries: check.retries,
    // Engines before 25 refuse the field.
    ...(startInterval === 0 ? {} : { StartInterval: startInterval }),
  };
}

const nonEmpty = (list: string[] | undefined): string[] | undefined =>
  list?.length === 0 ? undefined : list;
