import { createHash, randomBytes } from 'node:crypto';
import type { Properties, Property, Shape } from './schema.js';
import { isObject, isUnknown, present, type Value, type Values } from './values.js';

export interface Failure {
  /** Path of the property, '' for the resource as a whole. */
  property: string;
  reason: string;
}

export interface Checked {
  inputs: Values;
  failures: Failure[];
}

/** Names the properties that got their value from Check, in every object of the inputs. */
const defaultsKey = '__defaults';

/**
 * Validates the inputs of a resource and fills in defaults, in the form in which the official provider keeps
 * them. Problems are collected: all unsupported properties make one failure, each wrong value one of its own.
 */
export function checkInputs(properties: Properties, news: Values): Checked {
  const failures: Failure[] = [];
  const unsupported: string[] = [];
  const inputs = checkObject(properties, news, '', { failures, unsupported });
  if (unsupported.length > 0) {
    failures.unshift({
      property: '',
      reason:
        `the embedded Docker provider does not support ${unsupported.sort().join(', ')}: ` +
        'leave them out, or install the official plugin (pulumi plugin install resource docker)',
    });
  }
  return { inputs, failures };
}

interface Problems {
  failures: Failure[];
  unsupported: string[];
}

function checkObject(properties: Properties, news: Values, path: string, problems: Problems): Values {
  const inputs: Values = {};
  const defaults: string[] = [];
  for (const [name, value] of Object.entries(news)) {
    if (name === defaultsKey || present(value) === undefined) continue;
    const property = properties[name];
    if (property === undefined) problems.unsupported.push(join(path, name));
    else inputs[name] = checkValue(property, value, join(path, name), problems);
  }
  for (const [name, property] of Object.entries(properties)) {
    if (inputs[name] !== undefined) continue;
    if (property.default !== undefined) {
      inputs[name] = property.default;
      defaults.push(name);
    } else if (property.required) {
      problems.failures.push({ property: join(path, name), reason: 'is required' });
    }
  }
  return { ...inputs, [defaultsKey]: defaults.sort() };
}

function checkValue(shape: Shape | Property, value: Value, path: string, problems: Problems): Value {
  if (isUnknown(value)) return value;
  const wrong = (expected: string): Value => {
    problems.failures.push({ property: path, reason: `must be ${expected}` });
    return value;
  };
  switch (shape.type) {
    case 'string': {
      if (typeof value !== 'string') return wrong('a string');
      const allowed = shape.problem?.(value);
      return allowed === undefined ? value : wrong(allowed);
    }
    case 'integer': {
      if (typeof value !== 'number' || !Number.isInteger(value)) return wrong('a whole number');
      const allowed = shape.problem?.(value);
      return allowed === undefined ? value : wrong(allowed);
    }
    case 'boolean':
      return typeof value === 'boolean' ? value : wrong('true or false');
    case 'map':
      if (!isObject(value) || !Object.values(value).every((entry) => typeof entry === 'string')) {
        return wrong('an object of strings');
      }
      return value;
    case 'list':
    case 'set':
      if (!Array.isArray(value)) return wrong('a list');
      return value.map((item, index) => checkValue(shape.items, item, `${path}[${index}]`, problems));
    case 'object':
      return isObject(value) ? checkObject(shape.properties, value, path, problems) : wrong('an object');
  }
}

const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

/** Whether the inputs' name was made by `autoname`. */
export function isAutonamed(inputs: Values): boolean {
  const defaults = inputs[defaultsKey];
  return Array.isArray(defaults) && defaults.includes('name');
}

/**
 * A name of the official form, resource name and seven hexadecimal digits: the one that the resource already
 * has, else a new one.
 * @param seed Random bytes of the engine, so that a preview and its update agree; may be empty.
 */
export function autoname(olds: Values, resourceName: string, seed: Uint8Array): string {
  if (isAutonamed(olds) && typeof olds.name === 'string') return olds.name;
  const bytes = seed.length > 0 ? createHash('sha256').update(seed).digest() : randomBytes(4);
  return `${resourceName}-${bytes.toString('hex').slice(0, 7)}`;
}
