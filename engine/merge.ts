import { isDeepStrictEqual } from 'node:util';
import { yamlMapSchema, type YamlMap } from './yaml-file.js';

interface Merged {
  value: YamlMap;
  /** Dotted paths that both sides changed in different ways; `mine` was taken. */
  conflicts: string[];
}

/**
 * Three-way merge of maps, key by key: what only one side changed since `base` takes effect, lists and
 * scalars as a whole.
 */
export function mergeMaps(base: YamlMap, mine: YamlMap, theirs: YamlMap): Merged {
  const conflicts: string[] = [];
  return { value: merge(base, mine, theirs, '', conflicts), conflicts };
}

function merge(base: YamlMap, mine: YamlMap, theirs: YamlMap, prefix: string, conflicts: string[]): YamlMap {
  const merged: YamlMap = {};
  for (const key of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
    const value = mergeKey(base[key], mine[key], theirs[key], `${prefix}${key}`, conflicts);
    if (value !== undefined) merged[key] = value;
  }
  return merged;
}

function mergeKey(base: unknown, mine: unknown, theirs: unknown, path: string, conflicts: string[]): unknown {
  if (same(mine, theirs) || same(base, theirs)) return mine;
  if (same(base, mine)) return theirs;
  const maps = [mine, theirs].map((side) => yamlMapSchema.safeParse(side));
  const [mineMap, theirsMap] = maps.map((parsed) => parsed.data);
  if (mineMap !== undefined && theirsMap !== undefined) {
    return merge(yamlMapSchema.safeParse(base).data ?? {}, mineMap, theirsMap, `${path}.`, conflicts);
  }
  conflicts.push(path);
  return mine;
}

/** Pulumi writes `120` and `true` back as strings: that is no change. */
function same(left: unknown, right: unknown): boolean {
  return isDeepStrictEqual(asWritten(left), asWritten(right));
}

const asWritten = (value: unknown): unknown =>
  typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
