import type Docker from 'dockerode';
import type { Outputs } from '../../../components/outputs.js';
import type { ServiceName } from '../../../components/services.js';

/** Undoes a fault. */
export type Restore = () => Promise<void>;

/** Nothing in the container runs on; who asks it waits. */
export async function pause(docker: Docker, outputs: Outputs, service: ServiceName): Promise<Restore> {
  const container = docker.getContainer(outputs.services[service].containerId);
  await container.pause();
  return () => container.unpause();
}

/** The container runs on, but reaches nobody and nobody reaches it. */
export async function cutOff(docker: Docker, outputs: Outputs, service: ServiceName): Promise<Restore> {
  const network = docker.getNetwork(outputs.network);
  const { containerId } = outputs.services[service];
  await network.disconnect({ Container: containerId });
  return async () => {
    await network.connect({ Container: containerId, EndpointConfig: { Aliases: [service] } });
  };
}

/** The port of the host that leads to the container now: it may change when the container is reconnected. */
export async function portOf(docker: Docker, containerId: string): Promise<number> {
  const { NetworkSettings } = await docker.getContainer(containerId).inspect();
  const [port] = Object.values(NetworkSettings.Ports).flat().filter(Boolean);
  if (port === undefined) throw new Error(`container ${containerId} publishes no port`);
  return Number(port.HostPort);
}
