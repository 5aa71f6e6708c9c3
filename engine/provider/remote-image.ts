import type Docker from 'dockerode';
import { failure, isNotFound } from './errors.js';
import { timeoutsMeta, type Context, type ResourceState, type ResourceType } from './resource.js';
import { flag, setOf, text, typed, type Properties } from './schema.js';
import { textOf, type Values } from './values.js';

const inputs = {
  forceRemove: flag,
  keepLocally: flag,
  name: { ...text, required: true, replace: true },
  pullTriggers: { ...setOf(text), replace: true },
} as const satisfies Properties;

export const remoteImage: ResourceType = {
  inputs,
  outputs: ['imageId', 'repoDigest'],
  autonamed: false,
  deleteBeforeReplace: false,
  meta: timeoutsMeta,
  create,
  read,
  remove,
};

async function create(context: Context, values: Values): Promise<ResourceState> {
  const image = await findOrPull(context, typed(inputs, values).name);
  return stateOf(image, values);
}

async function read({ docker }: Context, _id: string, state: Values): Promise<ResourceState | undefined> {
  const name = textOf(state.name);
  const image = await findLocally(docker, name);
  return image === undefined ? undefined : stateOf(image, state);
}

function stateOf(image: Docker.ImageInspectInfo, values: Values): ResourceState {
  const name = textOf(values.name);
  return {
    id: `${image.Id}${name}`,
    state: {
      forceRemove: values.forceRemove ?? null,
      imageId: image.Id,
      keepLocally: values.keepLocally ?? null,
      name,
      pullTriggers: values.pullTriggers ?? null,
      repoDigest: digestOf(image, name),
    },
  };
}

/** The digest in the repository that the name says, where the image is in several. */
function digestOf(image: Docker.ImageInspectInfo, name: string): string {
  const digests = image.RepoDigests;
  const [repository = name] = name.split(':', 1);
  return (digests.length > 1 ? digests.find((digest) => digest.startsWith(repository)) : digests[0]) ?? '';
}

async function remove({ docker }: Context, _id: string, state: Values): Promise<void> {
  if (state.keepLocally === true) return;
  const name = textOf(state.name);
  try {
    await docker.getImage(name).remove({ force: state.forceRemove === true });
  } catch (cause) {
    if (!isNotFound(cause)) throw failure(`image ${name} can't be removed`, cause);
  }
}

async function findLocally(docker: Docker, name: string): Promise<Docker.ImageInspectInfo | undefined> {
  try {
    return await docker.getImage(name).inspect();
  } catch (cause) {
    if (isNotFound(cause)) return undefined;
    throw failure(`image ${name} can't be looked up`, cause);
  }
}

/** The image of that name or id, from its registry when the engine does not have it. */
export async function findOrPull(
  { docker, signal }: Pick<Context, 'docker' | 'signal'>,
  name: string,
): Promise<Docker.ImageInspectInfo> {
  const local = await findLocally(docker, name);
  if (local !== undefined) return local;
  // An id says nothing about where to pull from.
  if (name.startsWith('sha256:')) throw new Error(`image ${name} is not on the Docker Engine`);
  try {
    const progress = await docker.pull(name, { abortSignal: signal });
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(progress, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
    return await docker.getImage(name).inspect();
  } catch (cause) {
    throw failure(`image ${name} is not on the Docker Engine, and pulling it failed`, cause);
  }
}
