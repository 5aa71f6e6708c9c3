import type { Value, Values } from './values.js';

export type Shape =
  /**
   * `problem` says what is allowed when the value is not: the end of the sentence "… must be …". A `private`
   * value is never quoted.
   */
  | { type: 'string'; problem?: (value: string) => string | undefined; private?: true }
  | { type: 'integer'; problem?: (value: number) => string | undefined }
  | { type: 'boolean' }
  /** Strings by name. */
  | { type: 'map' }
  | { type: 'list'; items: Shape }
  /** A list whose order means nothing. The state keeps it sorted. */
  | { type: 'set'; items: Shape }
  | { type: 'object'; properties: Properties };

/** One input property, with the behaviour that the official provider gives it. */
export type Property = Shape & {
  required?: true;
  /** A change needs a new resource. */
  replace?: true;
  /** Read from the engine when it is not set. */
  computed?: true;
  /** Not computed, but no longer setting it is no change either. */
  sticky?: true;
  /** Put into the inputs by Check. Only defaults that differ from `false`, 0 and '' are. */
  default?: Value;
};
export type Properties = Readonly<Record<string, Property>>;

/** The TypeScript type of a value that Check accepted. */
type ValueOf<S> = S extends { type: 'string' }
  ? string
  : S extends { type: 'integer' }
    ? number
    : S extends { type: 'boolean' }
      ? boolean
      : S extends { type: 'map' }
        ? Record<string, string>
        : S extends { items: infer Items }
          ? ValueOf<Items>[]
          : S extends { properties: infer Inner }
            ? InputsOf<Inner>
            : never;
type AlwaysThere = { required: true } | { default: Value };
export type InputsOf<P> = {
  [K in keyof P as P[K] extends AlwaysThere ? K : never]: ValueOf<P[K]>;
} & {
  [K in keyof P as P[K] extends AlwaysThere ? never : K]?: ValueOf<P[K]>;
};

/** Types the inputs of a create or update: they went through Check, and nothing in them is unknown. */
export function typed<P extends Properties>(_properties: P, inputs: Values): InputsOf<P> {
  return inputs as InputsOf<P>;
}

export const text = { type: 'string' } as const;
export const integer = { type: 'integer' } as const;
export const flag = { type: 'boolean' } as const;
export const map = { type: 'map' } as const;
export const listOf = <const S extends Shape>(items: S) => ({ type: 'list', items }) as const;
export const setOf = <const S extends Shape>(items: S) => ({ type: 'set', items }) as const;
export const object = <const P extends Properties>(properties: P) =>
  ({ type: 'object', properties }) as const;

export const atLeast = (least: number) =>
  ({
    type: 'integer',
    problem: (value: number) => (value >= least ? undefined : `at least ${least}`),
  }) as const;

export const oneOf = (...allowed: string[]) =>
  ({
    type: 'string',
    problem: (value: string) => (allowed.includes(value) ? undefined : `one of ${allowed.join(', ')}`),
  }) as const;

const labelList = setOf(
  object({
    label: { ...text, required: true, replace: true },
    value: { ...text, required: true, replace: true },
  }),
);
export const labels = { ...labelList, replace: true } as const;

interface Label {
  label: string;
  value: string;
}
export const labelsToEngine = (list: readonly Label[] = []): Record<string, string> =>
  Object.fromEntries(list.map(({ label, value }) => [label, value]));

export const labelsFromEngine = (byName: Record<string, string> | null | undefined): Label[] =>
  Object.entries(byName ?? {})
    .map(([label, value]) => ({ label, value }))
    .sort((one, other) => (one.label < other.label ? -1 : 1));
