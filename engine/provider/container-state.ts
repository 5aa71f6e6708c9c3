import { sorted } from './diff.js';
import { formatDuration } from './duration.js';
import { textOf, type Value, type Values } from './values.js';

const mebibyte = 1024 * 1024;

type Nullable<T> = T | null | undefined;

/** The part of the engine's answer that is used here: the client's own types leave some of it out. */
interface Inspected {
  Name: string;
  Image: string;
  Platform: string;
  State: { Running: boolean; ExitCode: number };
  Config: {
    Image: string;
    Hostname: string;
    Domainname: string;
    User: string;
    WorkingDir: string;
    Cmd: Nullable<string[]>;
    Entrypoint: Nullable<string[]>;
    StopSignal?: string;
    StopTimeout?: number;
    Healthcheck?: Partial<Record<HealthTimes, number>> & { Test?: string[]; Retries?: number };
  };
  HostConfig: Record<Flags, Nullable<boolean>> &
    Record<Numbers, number> &
    Record<Texts, string> &
    Record<Lists, Nullable<string[]>> &
    Record<Maps, Nullable<Record<string, string>>> & {
      RestartPolicy: { Name: string; MaximumRetryCount: number };
      LogConfig: { Type: string; Config: Record<string, string> };
      Ulimits: Nullable<{ Name: string; Soft: number; Hard: number }[]>;
    };
  NetworkSettings: {
    Bridge?: string;
    Networks: Record<string, Endpoint>;
    Ports: Nullable<Record<string, Nullable<{ HostIp: string; HostPort: string }[]>>>;
  };
}
type HealthTimes = 'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval';
type Flags = 'AutoRemove' | 'ReadonlyRootfs' | 'Init';
type Numbers = 'Memory' | 'MemoryReservation' | 'MemorySwap' | 'ShmSize' | 'NanoCpus' | 'CpuShares';
type Texts = 'CpusetCpus' | 'NetworkMode' | 'IpcMode' | 'Runtime';
type Lists =
  'CapAdd' | 'CapDrop' | 'Dns' | 'DnsOptions' | 'DnsSearch' | 'ExtraHosts' | 'GroupAdd' | 'SecurityOpt';
type Maps = 'Tmpfs' | 'Sysctls';
type Endpoint = Record<'Gateway' | 'GlobalIPv6Address' | 'IPAddress' | 'IPv6Gateway' | 'MacAddress', string> &
  Record<'GlobalIPv6PrefixLen' | 'IPPrefixLen', number>;

/**
 * A container's state, as the official provider keeps it.
 * @param answer What the engine's inspection says.
 * @param known The state so far, for what inspection doesn't tell (how to start, wait and remove) and for what
 * it can't tell from the image's own settings (environment, labels).
 */
export function containerState(answer: unknown, known: Values): Values {
  const found = answer as Inspected;
  const { Config: config, HostConfig: host, State: status } = found;
  return {
    ...known,
    ...networkState(found, known),
    ...(status.Running ? {} : { exitCode: status.ExitCode, mustRun: false }),
    name: found.Name.replace(/^\//, ''),
    image: textOf(known.image).startsWith('sha256:') ? found.Image : config.Image,
    command: config.Cmd ?? [],
    entrypoints: config.Entrypoint ?? [],
    hostname: config.Hostname,
    domainname: config.Domainname,
    user: config.User,
    workingDir: config.WorkingDir,
    stopSignal: config.StopSignal ?? '',
    stopTimeout: config.StopTimeout ?? 0,
    healthcheck: healthState(config.Healthcheck) ?? known.healthcheck ?? null,
    rm: host.AutoRemove ?? false,
    readOnly: host.ReadonlyRootfs ?? false,
    restart: host.RestartPolicy.Name,
    maxRetryCount: host.RestartPolicy.MaximumRetryCount,
    init: host.Init ?? false,
    memory: host.Memory / mebibyte,
    memoryReservation: host.MemoryReservation / mebibyte,
    memorySwap: host.MemorySwap > 0 ? host.MemorySwap / mebibyte : host.MemorySwap,
    shmSize: host.ShmSize / mebibyte,
    ...(host.NanoCpus > 0 ? { cpus: String(host.NanoCpus / 1e9) } : {}),
    cpuShares: host.CpuShares,
    cpuSet: host.CpusetCpus,
    capabilities: capabilitiesState(host) ?? known.capabilities ?? null,
    securityOpts: set(host.SecurityOpt),
    groupAdds: set(host.GroupAdd),
    dns: set(host.Dns),
    dnsOpts: set(host.DnsOptions),
    dnsSearches: set(host.DnsSearch),
    hosts: sorted((host.ExtraHosts ?? []).map(hostEntry)),
    tmpfs: host.Tmpfs ?? {},
    sysctls: host.Sysctls ?? {},
    ...(isSet(known.ulimits) ? { ulimits: ulimitState(host) } : {}),
    logDriver: host.LogConfig.Type,
    // The daemon's own options must not look like the container's.
    ...(isSet(known.logOpts) ? { logOpts: host.LogConfig.Config } : {}),
    networkMode: host.NetworkMode,
    ipcMode: host.IpcMode,
    runtime: host.Runtime,
    platform: found.Platform,
  };
}

function networkState(
  { NetworkSettings: settings, State: { Running: running } }: Inspected,
  known: Values,
): Values {
  return {
    bridge: settings.Bridge ?? '',
    networkDatas: Object.entries(settings.Networks).map(([networkName, endpoint]) => ({
      gateway: endpoint.Gateway,
      globalIpv6Address: endpoint.GlobalIPv6Address,
      globalIpv6PrefixLength: endpoint.GlobalIPv6PrefixLen,
      ipAddress: endpoint.IPAddress,
      ipPrefixLength: endpoint.IPPrefixLen,
      ipv6Gateway: endpoint.IPv6Gateway,
      macAddress: endpoint.MacAddress,
      networkName,
    })),
    // A container that has ended publishes nothing; one that may end keeps the ports it had.
    ...(isSet(known.ports) && (running || known.mustRun === true)
      ? { ports: portState(settings.Ports) }
      : {}),
  };
}

/** In the order of the ports inside the container. */
function portState(ports: Inspected['NetworkSettings']['Ports']): Value[] {
  return Object.entries(ports ?? {})
    .flatMap(([key, bindings]) => {
      const [internal, protocol = 'tcp'] = key.split('/');
      return (bindings ?? []).map(({ HostIp, HostPort }) => ({
        external: Number(HostPort),
        internal: Number(internal),
        ip: HostIp,
        protocol,
      }));
    })
    .sort((one, other) => one.internal - other.internal);
}

function healthState(check: Inspected['Config']['Healthcheck']): Values | undefined {
  return (
    check && {
      interval: formatDuration(check.Interval ?? 0),
      retries: check.Retries ?? 0,
      startInterval: formatDuration(check.StartInterval ?? 0),
      startPeriod: formatDuration(check.StartPeriod ?? 0),
      tests: check.Test ?? [],
      timeout: formatDuration(check.Timeout ?? 0),
    }
  );
}

function capabilitiesState(host: Inspected['HostConfig']): Values | undefined {
  const [adds, drops] = [set(host.CapAdd), set(host.CapDrop)];
  return adds.length + drops.length === 0 ? undefined : { adds, drops };
}

function ulimitState({ Ulimits: limits }: Inspected['HostConfig']): Value[] {
  return sorted((limits ?? []).map(({ Name, Soft, Hard }) => ({ hard: Hard, name: Name, soft: Soft })));
}

/** `name:address`; the address may have colons of its own. */
function hostEntry(entry: string): Values {
  const colon = entry.indexOf(':');
  return { host: entry.slice(0, colon), ip: entry.slice(colon + 1) };
}

const set = (list: Nullable<string[]>): Value[] => sorted(list ?? []);

const isSet = (value: Value | undefined): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length > 0;
