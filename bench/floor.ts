import type Docker from 'dockerode';
import { labelKeys } from '../components/labels.js';
import { serviceNames, type ServiceName } from '../components/services.js';
import { reserveSubnet } from '../components/subnet.js';
import type { Blueprint, ServiceBlueprint } from './blueprint.js';
import { untilReady } from './probes.js';
import type { Place, Way } from './way.js';

export interface FloorPlace extends Place {
  /** Published ports on loopback, once it is up. */
  ports(): Readonly<Record<ServiceName, number>>;
  containerId(service: ServiceName): string;
}

/**
 * As fast as the engine allows: its API alone, in dependency order, with a poll over the network, and removal by
 * force.
 */
export function floorWay(docker: Docker, blueprint: Blueprint): Way<FloorPlace> {
  return {
    kind: 'floor',
    name: 'floor',
    async prepare({ name, labels }) {
      const subnet = await reserveSubnet(docker, name);
      const named = (service: ServiceName): string => `${name}-${service}`;
      const started = new Map<ServiceName, { port: number; containerId: string }>();

      const start = async (service: ServiceName, signal: AbortSignal): Promise<void> => {
        const spec = blueprint.services[service];
        const own = { ...labels, [labelKeys.service]: service };
        if (spec.dataPath !== undefined) await docker.createVolume({ Name: named(service), Labels: own });
        const container = await docker.createContainer(optionsOf(spec, service, named(service), own, name));
        await container.start();
        const { NetworkSettings } = await container.inspect();
        const port = Number(NetworkSettings.Ports[`${String(spec.port)}/tcp`]?.[0]?.HostPort);
        started.set(service, { port, containerId: container.id });
        await untilReady({ service, port, environment: spec.environment }, signal);
      };

      return {
        async up(signal) {
          await docker.createNetwork({
            Name: name,
            Driver: 'bridge',
            Labels: labels,
            IPAM: { Config: [{ Subnet: subnet }] },
          });
          const ready = new Map<ServiceName, Promise<void>>();
          const whenReady = (service: ServiceName): Promise<void> => {
            const known = ready.get(service);
            if (known !== undefined) return known;
            const others = blueprint.services[service].after.map(whenReady);
            const own = Promise.all(others).then(() => {
              signal.throwIfAborted();
              return start(service, signal);
            });
            ready.set(service, own);
            return own;
          };
          const all = await Promise.allSettled(serviceNames.map(whenReady));
          const failure = all.find((one) => one.status === 'rejected');
          if (failure !== undefined) throw failure.reason;
          return {};
        },
        async down() {
          await Promise.all(
            [...started.values()].map(({ containerId }) =>
              docker.getContainer(containerId).remove({ force: true, v: true }),
            ),
          );
          const volumes = serviceNames.filter(
            (service) => blueprint.services[service].dataPath !== undefined,
          );
          await Promise.all([
            ...volumes.map((service) => docker.getVolume(named(service)).remove()),
            docker.getNetwork(name).remove(),
          ]);
        },
        ports: () =>
          Object.fromEntries([...started].map(([service, { port }]) => [service, port])) as Record<
            ServiceName,
            number
          >,
        containerId: (service) => started.get(service)?.containerId ?? '',
      };
    },
  };
}

function optionsOf(
  spec: ServiceBlueprint,
  service: ServiceName,
  name: string,
  labels: Record<string, string>,
  network: string,
): Docker.ContainerCreateOptions {
  const port = `${String(spec.port)}/tcp`;
  return {
    name,
    Image: spec.image,
    ...(spec.command.length === 0 ? {} : { Cmd: [...spec.command] }),
    Env: [...spec.environment],
    User: spec.user,
    Hostname: spec.hostname,
    Labels: labels,
    ExposedPorts: { [port]: {} },
    Healthcheck: spec.healthCheck,
    HostConfig: {
      Memory: spec.memoryBytes,
      MemorySwap: spec.memorySwapBytes,
      CpuShares: spec.cpuShares,
      PidsLimit: spec.pidsLimit,
      ReadonlyRootfs: spec.readOnly,
      Tmpfs: spec.tmpfs,
      CapDrop: [...spec.capDrop],
      SecurityOpt: [...spec.securityOptions],
      LogConfig: { Type: spec.log.driver, Config: { ...spec.log.options } },
      RestartPolicy: { Name: 'no' },
      NetworkMode: network,
      PortBindings: { [port]: [{ HostIp: '127.0.0.1', HostPort: '' }] },
      ...(spec.dataPath === undefined ? {} : { Binds: [`${name}:${spec.dataPath}`] }),
    },
    NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [service] } } },
  };
}
