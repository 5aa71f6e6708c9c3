/** What the engine sends and gets: JSON, in which a value that a preview can't know yet is one of a few marks. */
export type Value = string | number | boolean | null | Value[] | { [key: string]: Value };
export type Values = Record<string, Value>;

/** The mark for a value that is not known yet, whatever its type. */
export const unknownValue = '04da6b54-80e4-46f7-96ec-b56ff0331ba9';

/** The engine has a mark for each type of value; it takes the string's for all of them. */
const unknownMarks = new Set<Value>([
  unknownValue,
  '1c4a061d-8072-4f0a-a4cb-0ff528b18fe7',
  '3eeb2bf0-c639-47a8-9e75-3b44932eb421',
  '6a19a0b0-7e62-4c92-b797-7f8e31da9cc2',
  'dd056dcd-154b-4c76-9bd3-c8f88648b5ff',
]);

export function isUnknown(value: Value | undefined): boolean {
  return value !== undefined && unknownMarks.has(value);
}

export function isObject(value: Value | undefined): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A missing property and one that is `null` are the same to the engine. */
export function present(value: Value | undefined): Value | undefined {
  return value === null ? undefined : value;
}

/** A string of the state, '' for anything else. */
export function textOf(value: Value | undefined): string {
  return typeof value === 'string' ? value : '';
}

const signatureKey = '4dabf18193072939515e22adb298388d';
const secretSignature = '1b47061264138c4ac30d75fd1eb44270';

/** What a secret value holds, and any other value itself. */
export function plain(value: Value): Value | undefined {
  return isObject(value) && value[signatureKey] === secretSignature ? value.value : value;
}
