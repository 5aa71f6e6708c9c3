import { autoname, checkInputs, isAutonamed, type Checked } from './check.js';
import { diffInputs, newState, refreshedInputs, updatedState, type Change } from './diff.js';
import { resourceName, resourceType, type Provider } from './provider.js';
import type { Call, ResourceState, ResourceType } from './resource.js';
import { text } from './schema.js';
import { unknownValue, type Values } from './values.js';

/** What the engine asks of the provider, free of the protocol's messages. */

export function check<Client extends object>(
  provider: Provider<Client>,
  urn: string,
  olds: Values,
  news: Values,
  seed: Uint8Array,
): Checked {
  const { inputs, autonamed } = resourceType(provider, urn);
  if (!autonamed) return checkInputs(inputs, news, provider.wording);
  const name = { ...text, replace: true, default: autoname(olds, resourceName(urn), seed) } as const;
  return checkInputs({ ...inputs, name }, news, provider.wording);
}

export interface Difference {
  changes: Map<string, Change>;
  deleteBeforeReplace: boolean;
}

export function diff<Client extends object>(
  provider: Provider<Client>,
  urn: string,
  state: Values,
  inputs: Values,
  ignoreChanges: readonly string[],
): Difference {
  const type = resourceType(provider, urn);
  const changes = diffInputs(type.inputs, state, inputs, ignoreChanges);
  const replaced = [...changes.values()].some(({ replace }) => replace);
  // Two resources can't have one name: where it isn't made up anew, the old one must go first.
  const sameName = type.autonamed && !isAutonamed(inputs);
  return { changes, deleteBeforeReplace: replaced && (type.deleteBeforeReplace || sameName) };
}

export function previewCreate<Client extends object>(
  provider: Provider<Client>,
  urn: string,
  inputs: Values,
): Values {
  const type = resourceType(provider, urn);
  const outputs: Values = Object.fromEntries(type.outputs.map((name) => [name, unknownValue] as const));
  return { ...newState(type.inputs, inputs, true), ...outputs };
}

export async function create<Client extends object>(
  provider: Provider<Client>,
  context: Call & Client,
  urn: string,
  inputs: Values,
): Promise<ResourceState> {
  const type = resourceType(provider, urn);
  return complete(type, await type.create(context, inputs));
}

/** @returns undefined when the resource is gone. */
export async function read<Client extends object>(
  provider: Provider<Client>,
  context: Call & Client,
  urn: string,
  last: ResourceState & { inputs: Values },
): Promise<(ResourceState & { inputs: Values }) | undefined> {
  const type = resourceType(provider, urn);
  const found = await type.read(context, last.id, last.state);
  return (
    found && { ...complete(type, found), inputs: refreshedInputs(type.inputs, last.inputs, found.state) }
  );
}

export function previewUpdate<Client extends object>(
  provider: Provider<Client>,
  urn: string,
  state: Values,
  inputs: Values,
): Values {
  return updatedState(resourceType(provider, urn).inputs, state, inputs);
}

export async function update<Client extends object>(
  provider: Provider<Client>,
  context: Call & Client,
  urn: string,
  id: string,
  state: Values,
  inputs: Values,
): Promise<Values> {
  const type = resourceType(provider, urn);
  await type.update?.(context, id, state, inputs);
  return complete(type, { id, state: updatedState(type.inputs, state, inputs) }).state;
}

export async function remove<Client extends object>(
  provider: Provider<Client>,
  context: Call & Client,
  urn: string,
  id: string,
  state: Values,
): Promise<void> {
  await resourceType(provider, urn).remove(context, id, state);
}

/** The official provider's notes about the Terraform state it was made from: they describe another state. */
const rawStateKey = '__pulumi_raw_state_delta';

function complete<Client extends object>(
  type: ResourceType<Client>,
  { id, state }: ResourceState,
): ResourceState {
  const rest = Object.entries(state).filter(([key]) => key !== rawStateKey);
  return { id, state: { ...Object.fromEntries(rest), id, __meta: JSON.stringify(type.meta) } };
}
