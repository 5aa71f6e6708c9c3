import { createHash, randomBytes } from 'node:crypto';
import type { Properties, Property, Shape } from './schema.js';
import { isObject, isUnknown, present, type Value, type Values } from './values.js';

export interface Checked {
  inputs: Values;
  /** What is wrong, a sentence each that names the property. */
  problems: string[];
}

/** Names the properties that got their value from Check, in every object of the inputs. */
const defaultsKey = '__defaults';

/** How a provider speaks of itself. */
export interface Wording {
  title: string;
  /** The end of the sentence about what it can't do. */
  remedy: string;
}

/**
 * Validates the inputs of a resource and fills in defaults, in the form in which the official provider keeps
 * them. Problems are collected: all unsupported properties make one, each wrong value another.
 */
export function checkInputs(properties: Properties, news: Values, wording: Wording): Checked {
  const findings: Findings = { problems: [], unsupported: [] };
  const inputs = checkObject(properties, news, '', findings);
  if (findings.unsupported.length > 0) {
    findings.problems.unshift(unsupportedProblem(findings.unsupported, wording));
  }
  return { inputs, problems: findings.problems };
}

export const unsupportedProblem = (names: string[], { title, remedy }: Wording): string =>
  `${title} does not support ${names.sort().join(', ')}: leave them out, or ${remedy}`;

interface Findings {
  problems: string[];
  unsupported: string[];
}

function checkObject(properties: Properties, news: Values, path: string, findings: Findings): Values {
  const inputs: Values = {};
  const defaults: string[] = [];
  for (const [name, value] of Object.entries(news)) {
    if (name === defaultsKey || present(value) === undefined) continue;
    const property = properties[name];
    if (property === undefined) findings.unsupported.push(join(path, name));
    else inputs[name] = checkValue(property, value, join(path, name), findings);
  }
  for (const [name, property] of Object.entries(properties)) {
    if (inputs[name] !== undefined) continue;
    if (property.default !== undefined) {
      inputs[name] = property.default;
      defaults.push(name);
    } else if (property.required) {
      findings.problems.push(`${join(path, name)} is missing`);
    }
  }
  return { ...inputs, [defaultsKey]: defaults.sort() };
}

function checkValue(shape: Shape | Property, value: Value, path: string, findings: Findings): Value {
  if (isUnknown(value)) return value;
  // Values of a wrong type are not quoted: they may be secret, which the engine doesn't tell.
  const wrong = (allowed: string, found?: string): Value => {
    findings.problems.push(`${path} must be ${allowed}${found === undefined ? '' : `, not ${found}`}`);
    return value;
  };
  switch (shape.type) {
    case 'string': {
      if (typeof value !== 'string') return wrong('a string', nameOfType(value));
      const allowed = shape.problem?.(value);
      return allowed === undefined
        ? value
        : wrong(allowed, shape.private ? undefined : JSON.stringify(value));
    }
    case 'integer': {
      if (typeof value !== 'number') return wrong('a whole number', nameOfType(value));
      const allowed = Number.isInteger(value) ? shape.problem?.(value) : 'a whole number';
      return allowed === undefined ? value : wrong(allowed, String(value));
    }
    case 'boolean':
      return typeof value === 'boolean' ? value : wrong('true or false', nameOfType(value));
    case 'map':
      if (!isObject(value)) return wrong('an object of strings', nameOfType(value));
      return Object.values(value).every((entry) => typeof entry === 'string')
        ? value
        : wrong('an object of strings');
    case 'list':
    case 'set':
      if (!Array.isArray(value)) return wrong('a list', nameOfType(value));
      return value.map((item, index) => checkValue(shape.items, item, `${path}[${index}]`, findings));
    case 'object':
      if (!isObject(value)) return wrong('an object', nameOfType(value));
      return checkObject(shape.properties, value, path, findings);
  }
}

function nameOfType(value: Value): string {
  if (Array.isArray(value)) return 'a list';
  return value === null ? 'null' : `a${typeof value === 'object' ? 'n' : ''} ${typeof value}`;
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
