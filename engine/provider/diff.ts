import type { Properties, Property, Shape } from './schema.js';
import { isObject, isUnknown, present, unknownValue, type Value, type Values } from './values.js';

export interface Change {
  kind: 'add' | 'update' | 'delete';
  replace: boolean;
}

/**
 * What differs between a resource's state and its new inputs, by input property. As with the official
 * provider, `false`, 0, '' and empty collections equal a missing value, and a computed property that is not
 * set keeps its value.
 */
export function diffInputs(
  properties: Properties,
  state: Values,
  inputs: Values,
  ignoreChanges: readonly string[] = [],
): Map<string, Change> {
  const changes = new Map<string, Change>();
  for (const [name, property] of Object.entries(properties)) {
    const [before, after] = [present(state[name]), present(inputs[name])];
    if (ignoreChanges.includes(name) || same(property, before, after)) continue;
    const kind = before === undefined ? 'add' : after === undefined ? 'delete' : 'update';
    changes.set(name, { kind, replace: property.replace ?? false });
  }
  return changes;
}

function same(property: Property | Shape, before: Value | undefined, after: Value | undefined): boolean {
  if (isUnknown(after)) return false;
  if (after === undefined && keptWhenUnset(property)) return true;
  switch (property.type) {
    case 'string':
      return (before ?? '') === (after ?? '');
    case 'integer':
      return (before ?? 0) === (after ?? 0);
    case 'boolean':
      return (before ?? false) === (after ?? false);
    case 'map': {
      const [old, now] = [asObject(before), asObject(after)];
      const keys = new Set([...Object.keys(old), ...Object.keys(now)]);
      return [...keys].every((key) => old[key] === now[key]);
    }
    case 'list': {
      const [old, now] = [asList(before), asList(after)];
      return old.length === now.length && now.every((item, index) => same(property.items, old[index], item));
    }
    case 'set': {
      const [old, now] = [[...asList(before)], asList(after)];
      return (
        old.length === now.length &&
        now.every((item) => {
          const found = old.findIndex((candidate) => same(property.items, candidate, item));
          if (found >= 0) old.splice(found, 1);
          return found >= 0;
        })
      );
    }
    case 'object': {
      const [old, now] = [asObject(before), asObject(after)];
      return Object.entries(property.properties).every(([name, inner]) =>
        same(inner, present(old[name]), present(now[name])),
      );
    }
  }
}

const keptWhenUnset = (property: Property | Shape): boolean => 'computed' in property || 'sticky' in property;

const asList = (value: Value | undefined): Value[] => (Array.isArray(value) ? value : []);
const asObject = (value: Value | undefined): Values => (isObject(value) ? value : {});

/**
 * The state that inputs lead to.
 * @param preview Whether the resource isn't there yet: what only the Docker Engine can tell is unknown then.
 */
export function newState(properties: Properties, inputs: Values, preview: boolean): Values {
  return Object.fromEntries(
    Object.entries(properties).map(([name, property]) => [
      name,
      newValue(property, present(inputs[name]), preview),
    ]),
  );
}

/** The state after an update in place. */
export function updatedState(properties: Properties, state: Values, inputs: Values): Values {
  const updated = { ...state };
  for (const name of diffInputs(properties, state, inputs).keys()) {
    const property = properties[name];
    if (property !== undefined) updated[name] = newValue(property, present(inputs[name]), false);
  }
  return updated;
}

function newValue(property: Property | Shape, input: Value | undefined, preview: boolean): Value {
  if (input === undefined) return preview && 'computed' in property ? unknownValue : emptyValue(property);
  if (isUnknown(input)) return unknownValue;
  switch (property.type) {
    case 'object':
      return newState(property.properties, asObject(input), preview);
    case 'list':
      return asList(input).map((item) => newValue(property.items, item, preview));
    case 'set':
      return sorted(asList(input).map((item) => newValue(property.items, item, preview)));
    default:
      return input;
  }
}

function emptyValue({ type }: Shape): Value {
  if (type === 'boolean') return false;
  return type === 'list' || type === 'set' ? [] : null;
}

/**
 * The inputs that a refreshed state stands for: the old ones, but for what somebody changed behind Pulumi's
 * back.
 */
export function refreshedInputs(properties: Properties, inputs: Values, state: Values): Values {
  const drift = diffInputs(properties, state, inputs).keys();
  const changed = [...drift]
    .filter((name) => name in inputs)
    .map((name) => [name, state[name] ?? null] as const);
  return { ...inputs, ...Object.fromEntries(changed) };
}

/** The order of a set in the state. */
export function sorted(items: Value[]): Value[] {
  const key = (item: Value): string => (typeof item === 'string' ? item : JSON.stringify(item));
  return items.toSorted((one, other) => (key(one) < key(other) ? -1 : 1));
}
