import { parseDuration } from './duration.js';
import {
  atLeast,
  flag,
  integer,
  labels,
  listOf,
  map,
  object,
  oneOf,
  setOf,
  text,
  type InputsOf,
  type Properties,
} from './schema.js';

const replace = { replace: true } as const;
const strings = setOf(text);

const duration = {
  type: 'string',
  problem: (value: string) =>
    parseDuration(value) === undefined ? 'a duration like 10s or 1m30s' : undefined,
} as const;

const envEntry = {
  type: 'string',
  private: true,
  problem: (value: string) => (/^[^=]/.test(value) ? undefined : 'of the form NAME=value'),
} as const;

const absolutePath = {
  type: 'string',
  problem: (value: string) => (value.startsWith('/') ? undefined : 'an absolute path'),
} as const;

/** The container properties this provider supports; docs/provider.md says where each rule comes from. */
export const containerInputs = {
  attach: flag,
  capabilities: {
    ...object({ adds: { ...strings, ...replace }, drops: { ...strings, ...replace } }),
    ...replace,
  },
  command: { ...listOf(text), ...replace, computed: true },
  containerReadRefreshTimeoutMilliseconds: { ...integer, default: 15_000 },
  cpuSet: text,
  cpuShares: atLeast(0),
  cpus: { ...text, ...replace },
  destroyGraceSeconds: integer,
  dns: { ...strings, ...replace },
  dnsOpts: { ...strings, ...replace },
  dnsSearches: { ...strings, ...replace },
  domainname: { ...text, ...replace },
  entrypoints: { ...listOf(text), ...replace, computed: true },
  envs: { ...setOf(envEntry), ...replace, computed: true },
  groupAdds: { ...strings, ...replace },
  healthcheck: {
    ...object({
      interval: { ...duration, default: '0s' },
      retries: atLeast(0),
      startInterval: { ...duration, default: '0s' },
      startPeriod: { ...duration, default: '0s' },
      tests: listOf(text),
      timeout: { ...duration, default: '0s' },
    }),
    computed: true,
  },
  hostname: { ...text, ...replace, computed: true },
  hosts: {
    ...setOf(
      object({
        host: { ...text, ...replace, required: true },
        ip: { ...text, ...replace, required: true },
      }),
    ),
    ...replace,
  },
  image: { ...text, ...replace, required: true },
  init: { ...flag, computed: true },
  labels: { ...labels, computed: true },
  logDriver: { ...text, ...replace, computed: true },
  logOpts: { ...map, ...replace },
  logs: flag,
  maxRetryCount: integer,
  memory: atLeast(0),
  memoryReservation: atLeast(0),
  memorySwap: atLeast(-1),
  mustRun: { ...flag, default: true },
  name: { ...text, ...replace, required: true },
  networkMode: { ...text, ...replace, default: 'bridge' },
  networksAdvanced: {
    ...setOf(
      object({
        aliases: { ...strings, ...replace },
        ipv4Address: { ...text, ...replace },
        name: { ...text, ...replace, required: true },
      }),
    ),
    ...replace,
  },
  ports: {
    ...listOf(
      object({
        external: { ...integer, ...replace, computed: true },
        internal: { ...integer, ...replace, required: true },
        ip: { ...text, ...replace, default: '0.0.0.0' },
        protocol: { ...text, ...replace, default: 'tcp' },
      }),
    ),
    ...replace,
  },
  readOnly: { ...flag, ...replace },
  removeVolumes: { ...flag, default: true },
  restart: { ...oneOf('no', 'on-failure', 'always', 'unless-stopped'), default: 'no' },
  rm: flag,
  securityOpts: { ...strings, ...replace, computed: true },
  shmSize: { ...atLeast(0), ...replace, computed: true },
  start: { ...flag, default: true },
  stopSignal: { ...text, ...replace, computed: true },
  stopTimeout: { ...integer, ...replace, computed: true },
  sysctls: { ...map, ...replace },
  tmpfs: map,
  ulimits: {
    ...setOf(
      object({
        hard: { ...integer, ...replace, required: true },
        name: { ...text, ...replace, required: true },
        soft: { ...integer, ...replace, required: true },
      }),
    ),
    ...replace,
  },
  user: { ...text, ...replace, sticky: true },
  volumes: {
    ...setOf(
      object({
        containerPath: { ...text, ...replace },
        hostPath: { ...absolutePath, ...replace },
        readOnly: { ...flag, ...replace },
        volumeName: { ...text, ...replace },
      }),
    ),
    ...replace,
  },
  wait: flag,
  waitTimeout: { ...integer, default: 60 },
  workingDir: { ...text, ...replace, sticky: true },
} as const satisfies Properties;

export type ContainerInputs = InputsOf<typeof containerInputs>;

/** Properties that only the Docker Engine sets. */
export const containerOutputs = [
  'bridge',
  'containerLogs',
  'exitCode',
  'ipcMode',
  'networkDatas',
  'platform',
  'runtime',
] as const;
