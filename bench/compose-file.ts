import { stringify } from 'yaml';
import { labelKeys } from '../components/labels.js';
import type { Blueprint, ServiceBlueprint } from './blueprint.js';

interface ComposeRequest {
  blueprint: Blueprint;
  labels: Readonly<Record<string, string>>;
  subnet: string;
  /** Between two health checks, instead of what ours has. */
  intervalSeconds?: number;
}

const nanosecondsPerSecond = 1_000_000_000;
/** For the network's only other name. */
const network = 'environment';

/** The same services for `docker compose`: images, limits, options, health checks and order. It holds passwords. */
export function composeFile({ blueprint, labels, subnet, intervalSeconds }: ComposeRequest): string {
  const services = Object.entries(blueprint.services);
  const withData = services.filter(([, { dataPath }]) => dataPath !== undefined);
  const file = {
    services: Object.fromEntries(
      services.map(([name, service]) => [
        name,
        serviceOf(name, service, { ...labels, [labelKeys.service]: name }, intervalSeconds),
      ]),
    ),
    volumes: Object.fromEntries(
      withData.map(([name]) => [volumeOf(name), { labels: { ...labels, [labelKeys.service]: name } }]),
    ),
    networks: { [network]: { driver: 'bridge', labels, ipam: { config: [{ subnet }] } } },
  };
  // A label that reads like a time, or a variable that reads like a number, is a text all the same.
  return stringify(file, { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });
}

const volumeOf = (service: string): string => `${service}-data`;

function serviceOf(
  name: string,
  service: ServiceBlueprint,
  labels: Readonly<Record<string, string>>,
  intervalSeconds: number | undefined,
): object {
  const { healthCheck, dataPath, after, log } = service;
  return {
    image: service.image,
    pull_policy: 'never',
    hostname: service.hostname,
    ...(service.command.length === 0 ? {} : { command: service.command.map(literal) }),
    environment: service.environment.map(literal),
    labels,
    user: service.user,
    mem_limit: service.memoryBytes,
    memswap_limit: service.memorySwapBytes,
    cpu_shares: service.cpuShares,
    pids_limit: service.pidsLimit,
    read_only: service.readOnly,
    tmpfs: Object.entries(service.tmpfs).map(([path, options]) => `${path}:${options}`),
    cap_drop: service.capDrop,
    security_opt: service.securityOptions,
    logging: { driver: log.driver, options: log.options },
    restart: 'no',
    networks: { [network]: { aliases: [name] } },
    ports: [`127.0.0.1::${String(service.port)}`],
    ...(dataPath === undefined ? {} : { volumes: [`${volumeOf(name)}:${dataPath}`] }),
    healthcheck: {
      test: healthCheck.Test?.map(literal),
      interval: seconds(intervalSeconds ?? (healthCheck.Interval ?? 0) / nanosecondsPerSecond),
      timeout: seconds((healthCheck.Timeout ?? 0) / nanosecondsPerSecond),
      retries: healthCheck.Retries,
      start_period: seconds((healthCheck.StartPeriod ?? 0) / nanosecondsPerSecond),
    },
    ...(after.length === 0
      ? {}
      : { depends_on: Object.fromEntries(after.map((other) => [other, { condition: 'service_healthy' }])) }),
  };
}

/** A dollar sign begins a variable in compose's files. */
const literal = (text: string): string => text.replaceAll('$', '$$$$');
const seconds = (count: number): string => `${String(count)}s`;
