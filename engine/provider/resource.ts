import type Docker from 'dockerode';
import type { Properties } from './schema.js';
import type { Values } from './values.js';

/** One call of an operation. */
export interface Call {
  /** Ends the operation's waits: the user cancelled, or its time is up. */
  signal: AbortSignal;
  /** Shows the user what is no error. */
  warn: (message: string) => Promise<void>;
}

/** What the Docker provider's operations work with. */
export interface DockerClient {
  docker: Docker;
}
export type Context = Call & DockerClient;

export interface ResourceState {
  id: string;
  state: Values;
}

/** One of a provider's resource types. Every operation throws what the engine shows to the user. */
export interface ResourceType<Client extends object = DockerClient> {
  inputs: Properties;
  /** Properties that only an operation sets. */
  outputs: readonly string[];
  autonamed: boolean;
  /** The old resource goes before its replacement comes, even if their names differ. */
  deleteBeforeReplace: boolean;
  /** What the official provider keeps in `__meta`: without it that provider would migrate the state. */
  meta: Values;
  create(context: Call & Client, inputs: Values): Promise<ResourceState>;
  /**
   * @param state The last known state, which holds what can't be read from the engine.
   * @returns undefined when the resource is gone.
   */
  read(context: Call & Client, id: string, state: Values): Promise<ResourceState | undefined>;
  /** Applies the changes that need no replacement, where more than the state has to know of them. */
  update?(context: Call & Client, id: string, state: Values, inputs: Values): Promise<void>;
  /** Succeeds when the resource is gone already. */
  remove(context: Call & Client, id: string, state: Values): Promise<void>;
}

/** 20 minutes, in ns: the official provider's limit for an operation on a container or an image. */
const limitNs = 20 * 60 * 1e9;
export const timeoutsMeta: Values = {
  'e2bfb730-ecaa-11e6-8f88-34363bc7c4c0': { create: limitNs, delete: limitNs, update: limitNs },
};
