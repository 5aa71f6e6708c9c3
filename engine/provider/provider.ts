import type { Checked, Wording } from './check.js';
import type { ResourceType } from './resource.js';
import type { Values } from './values.js';

/**
 * A provider, free of the protocol that it is served by.
 * @typeParam Client Whatever its operations need of what they manage, once it is configured.
 */
export interface Provider<Client extends object> {
  /** As its type tokens begin. */
  name: string;
  version: string;
  wording: Wording;
  /** By type token. */
  types: ReadonlyMap<string, ResourceType<Client>>;
  /** By token. */
  functions: ReadonlyMap<string, (client: Client, args: Values) => Promise<Values>>;
  /** Those of its own inputs whose change is one. */
  settings: readonly string[];
  /** Checks its own inputs. */
  checkConfig(news: Values): Checked;
  connect(config: Values): Promise<Client>;
}

/** The type, resource type token `docker:index/network:Network`, of a URN `urn:pulumi:stack::project::type::name`. */
export function resourceType<Client extends object>(
  { types, wording: { title, remedy } }: Provider<Client>,
  urn: string,
): ResourceType<Client> {
  // The types of the parents come before, joined by $.
  const token = urn.split('::')[2]?.split('$').at(-1) ?? '';
  const found = types.get(token);
  if (found === undefined) {
    throw new Error(
      `${title} has no resource type ${token}: it has ${[...types.keys()].join(', ')}; for others ${remedy}`,
    );
  }
  return found;
}

export const resourceName = (urn: string): string => urn.split('::').slice(3).join('::');
