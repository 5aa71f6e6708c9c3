import type Docker from 'dockerode';
import { labelKeys } from '../../../components/labels.js';
import type { Endpoints } from '../../../components/outputs.js';
import { serviceNames } from '../../../components/services.js';

/**
 * What of an environment's ports, networks and volumes isn't the environment's own.
 * @param suite whose environment the endpoints should be.
 * @returns one sentence each.
 */
export async function foreignContainers(
  docker: Docker,
  endpoints: Endpoints,
  suite: string,
): Promise<string[]> {
  const all = await docker.listContainers({ all: true });
  const ports = portsOf(endpoints);
  const runs = new Set<string>();
  const problems: string[] = [];
  for (const port of ports) {
    const publishing = all.filter(({ Ports }) => Ports.some(({ PublicPort }) => PublicPort === port));
    const labels = publishing[0]?.Labels ?? {};
    const who = publishing.map(({ Names }) => Names.join()).join(' and ') || 'nobody';
    if (publishing.length !== 1 || labels[labelKeys.suite] !== suite) {
      problems.push(`port ${String(port)} is published by ${who}`);
    }
    runs.add(labels[labelKeys.run] ?? '');
  }
  const [run = ''] = runs;
  if (runs.size > 1) problems.push(`the ports are of the runs ${[...runs].join(', ')}`);
  const isOwn = ({ Labels }: Docker.ContainerInfo): boolean =>
    Labels[labelKeys.run] === run && Labels[labelKeys.suite] === suite;
  const own = all.filter(isOwn);
  if (own.length !== serviceNames.length) {
    problems.push(
      `the environment has ${String(own.length)} containers instead of ${String(serviceNames.length)}`,
    );
  }
  const places = new Set(own.flatMap(placesOf));
  for (const other of all.filter((container) => !isOwn(container))) {
    const shared = placesOf(other).filter((place) => places.has(place));
    if (shared.length > 0) problems.push(`container ${other.Names.join()} shares ${shared.join(', ')}`);
  }
  return problems;
}

function portsOf({ postgres, pgbouncer, redis, clickhouse, ...urls }: Endpoints): Set<number> {
  const addresses = [...Object.values(urls), clickhouse.url].map((url) => Number(new URL(url).port));
  return new Set([...addresses, postgres.port, pgbouncer.port, redis.port]);
}

const placesOf = ({ Mounts, NetworkSettings }: Docker.ContainerInfo): string[] => [
  ...Object.keys(NetworkSettings.Networks).map((network) => `network ${network}`),
  ...Mounts.flatMap(({ Name }) => (Name === undefined ? [] : [`volume ${Name}`])),
];
