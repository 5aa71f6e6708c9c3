import type Docker from 'dockerode';
import { failure, isNotFound, reasonOf } from './errors.js';
import { removeWhenUnused } from './removal.js';
import type { Context, ResourceState, ResourceType } from './resource.js';
import {
  flag,
  labels,
  labelsFromEngine,
  labelsToEngine,
  map,
  object,
  setOf,
  text,
  typed,
  type Properties,
} from './schema.js';
import type { Values } from './values.js';

const inputs = {
  attachable: { ...flag, replace: true },
  driver: { ...text, replace: true, computed: true },
  internal: { ...flag, replace: true, computed: true },
  ipamConfigs: {
    ...setOf(
      object({
        auxAddress: { ...map, replace: true },
        gateway: { ...text, replace: true },
        ipRange: { ...text, replace: true },
        subnet: { ...text, replace: true },
      }),
    ),
    replace: true,
    computed: true,
  },
  ipamDriver: { ...text, replace: true, default: 'default' },
  ipamOptions: { ...map, replace: true },
  ipv6: { ...flag, replace: true },
  labels,
  name: { ...text, required: true, replace: true },
  options: { ...map, replace: true, computed: true },
} as const satisfies Properties;

export const network: ResourceType = {
  inputs,
  outputs: ['ingress', 'scope'],
  autonamed: true,
  deleteBeforeReplace: false,
  meta: { schema_version: '1' },
  create,
  read,
  remove,
};

async function create({ docker }: Context, values: Values): Promise<ResourceState> {
  const news = typed(inputs, values);
  try {
    const { id } = await docker.createNetwork({
      Name: news.name,
      // Engines before 25 otherwise allow two networks of one name.
      CheckDuplicate: true,
      Driver: news.driver,
      Attachable: news.attachable,
      Internal: news.internal,
      EnableIPv6: news.ipv6,
      Labels: labelsToEngine(news.labels),
      Options: news.options,
      IPAM: {
        Driver: news.ipamDriver,
        Options: news.ipamOptions,
        Config: news.ipamConfigs?.map(({ subnet, ipRange, gateway, auxAddress }) => ({
          Subnet: subnet,
          IPRange: ipRange,
          Gateway: gateway,
          AuxiliaryAddresses: auxAddress,
        })),
      },
    });
    return { id, state: await inspect(docker, id) };
  } catch (cause) {
    throw failure(`network ${news.name} can't be created`, cause);
  }
}

async function read({ docker }: Context, id: string): Promise<ResourceState | undefined> {
  try {
    return { id, state: await inspect(docker, id) };
  } catch (cause) {
    if (isNotFound(cause)) return undefined;
    throw failure(`network ${id} can't be read`, cause);
  }
}

async function inspect(docker: Docker, id: string): Promise<Values> {
  const found = await docker.getNetwork(id).inspect();
  return {
    attachable: found.Attachable,
    driver: found.Driver,
    ingress: found.Ingress,
    internal: found.Internal,
    ipamConfigs: (found.IPAM?.Config ?? []).map((config) => ({
      auxAddress: { ...config.AuxiliaryAddresses } as Record<string, string>,
      gateway: config.Gateway ?? '',
      ipRange: config.IPRange ?? '',
      subnet: config.Subnet ?? '',
    })),
    ipamDriver: found.IPAM?.Driver ?? '',
    ipamOptions: found.IPAM?.Options ?? null,
    ipv6: found.EnableIPv6,
    labels: labelsFromEngine(found.Labels).map((label) => ({ ...label })),
    name: found.Name,
    options: found.Options ?? {},
    scope: found.Scope,
  };
}

async function remove({ docker, signal }: Context, id: string): Promise<void> {
  await removeWhenUnused({
    what: `network ${id}`,
    remove: () => docker.getNetwork(id).remove(),
    // The engine has no status of its own for this: it answers 403 to much else as well.
    isInUse: (error) => reasonOf(error).includes('has active endpoints'),
    signal,
  });
}
