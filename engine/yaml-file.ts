import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import * as z from 'zod';

export type YamlMap = Record<string, unknown>;

export const yamlMapSchema = z.record(z.string(), z.unknown());

/**
 * Reads a YAML file whose top is a map; an empty file is an empty map.
 * @throws Error with file, line and column of every mistake.
 */
export async function readYamlMap(file: string): Promise<YamlMap> {
  const name = path.basename(file);
  const lineCounter = new LineCounter();
  const document = parseDocument(await readFile(file, 'utf8'), { lineCounter, prettyErrors: false });
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ pos, message }) => {
      const { line, col } = lineCounter.linePos(pos[0]);
      return `${name}:${line}:${col}: not valid YAML: ${message}`;
    });
    throw new Error(problems.join('\n'));
  }
  const parsed = yamlMapSchema.safeParse(document.toJS() ?? {});
  if (!parsed.success) throw new Error(`${name}:1:1: must be a map of keys to values`);
  return parsed.data;
}
