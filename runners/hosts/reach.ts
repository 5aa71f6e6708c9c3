import type { Endpoints, Outputs } from '../../components/outputs.js';
import { serviceNames } from '../../components/services.js';

/** Ports of the host's loopback that an environment publishes. */
export const portsOf = ({ services }: Pick<Outputs, 'services'>): number[] =>
  serviceNames.map((service) => services[service].port);

/**
 * The outputs with the ports that lead to the environment from here.
 * @param reach from a port of the host's loopback to one of ours.
 */
export async function reachable(
  outputs: Outputs,
  reach: (port: number) => Promise<number>,
): Promise<Outputs> {
  const pairs = portsOf(outputs).map(async (port) => [port, await reach(port)] as const);
  const ports = new Map(await Promise.all(pairs));
  const ours = (port: number): number => ports.get(port) ?? port;
  const services = serviceNames.map((service) => {
    const own = outputs.services[service];
    return [service, { ...own, port: ours(own.port) }];
  });
  return {
    ...outputs,
    services: Object.fromEntries(services) as Outputs['services'],
    endpoints: endpointsAt(outputs.endpoints, ours),
  };
}

function endpointsAt(endpoints: Endpoints, ours: (port: number) => number): Endpoints {
  const entries = Object.entries(endpoints).map(([name, endpoint]) => {
    if (typeof endpoint === 'string') return [name, urlAt(endpoint, ours)];
    const moved = 'url' in endpoint ? { url: urlAt(endpoint.url, ours) } : { port: ours(endpoint.port) };
    return [name, { ...endpoint, ...moved }];
  });
  return Object.fromEntries(entries) as Endpoints;
}

/** As it is written, without a slash that it hasn't got. */
const urlAt = (url: string, ours: (port: number) => number): string =>
  url.replace(
    /^(\w+:\/\/[^/:]+:)(\d+)/,
    (_, origin: string, port: string) => `${origin}${String(ours(Number(port)))}`,
  );
