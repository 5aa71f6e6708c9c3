import type Docker from 'dockerode';
import { failure, isConflict, isNotFound } from './errors.js';
import { removeWhenUnused } from './removal.js';
import type { Context, ResourceState, ResourceType } from './resource.js';
import { labels, labelsFromEngine, labelsToEngine, map, text, typed, type Properties } from './schema.js';
import type { Values } from './values.js';

const inputs = {
  driver: { ...text, replace: true, computed: true },
  driverOpts: { ...map, replace: true },
  labels,
  name: { ...text, replace: true, computed: true },
} as const satisfies Properties;

export const volume: ResourceType = {
  inputs,
  outputs: ['mountpoint'],
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
    const created = await docker.createVolume({
      Name: news.name,
      Driver: news.driver,
      DriverOpts: news.driverOpts,
      Labels: labelsToEngine(news.labels),
    });
    return { id: created.name, state: await inspect(docker, created.name) };
  } catch (cause) {
    throw failure(`volume ${news.name} can't be created`, cause);
  }
}

async function read({ docker }: Context, id: string): Promise<ResourceState | undefined> {
  try {
    return { id, state: await inspect(docker, id) };
  } catch (cause) {
    if (isNotFound(cause)) return undefined;
    throw failure(`volume ${id} can't be read`, cause);
  }
}

async function inspect(docker: Docker, id: string): Promise<Values> {
  const found = await docker.getVolume(id).inspect();
  return {
    driver: found.Driver,
    driverOpts: found.Options,
    labels: labelsFromEngine(found.Labels).map((label) => ({ ...label })),
    mountpoint: found.Mountpoint,
    name: found.Name,
  };
}

async function remove({ docker, signal }: Context, id: string): Promise<void> {
  await removeWhenUnused({
    what: `volume ${id}`,
    remove: () => docker.getVolume(id).remove({ force: true }),
    isInUse: isConflict,
    signal,
  });
}
