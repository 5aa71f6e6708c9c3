import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { formsOf, redactForms } from '../engine/redact.js';

/** What the verdict needs of a service's log; each line begins with its time, as the engine notes it. */
export interface ServiceLog {
  service: string;
  /** The first line for each of the patterns that were looked for, in the order of the log. */
  telling: readonly string[];
  /** The last lines. */
  last: readonly string[];
}

/** Lines of a log, as many at once as come at once. */
export type Lines = AsyncIterable<readonly string[]> | Iterable<readonly string[]>;

const quotedLines = 20;
const longestEvidence = 500;

/** What the first line says that is such a one, and when, if it has a time. */
export function firstSaid({ telling }: ServiceLog, line: RegExp): { at?: string; said: string } | undefined {
  const found = telling.find((text) => line.test(text));
  if (found === undefined) return undefined;
  const [time = '', ...words] = found.split(' ');
  const atMs = Date.parse(time);
  return {
    ...(Number.isNaN(atMs) ? {} : { at: new Date(atMs).toISOString() }),
    said: words.join(' ').slice(0, longestEvidence),
  };
}

/**
 * Reads a log that may be longer than memory.
 * @param patterns what a line says that the verdict needs.
 * @param take gets all lines in turn.
 */
export async function readServiceLog(
  service: string,
  lines: Lines,
  patterns: readonly RegExp[],
  take: (lines: readonly string[]) => Promise<void> = () => Promise.resolve(),
): Promise<ServiceLog> {
  const telling: string[] = [];
  let missing = patterns;
  let last: readonly string[] = [];
  for await (const some of lines) {
    if (some.length === 0) continue;
    for (const line of some) {
      const told = missing.filter((pattern) => pattern.test(line));
      if (told.length === 0) continue;
      telling.push(line);
      missing = missing.filter((pattern) => !told.includes(pattern));
    }
    last = [...last, ...some].slice(-quotedLines);
    await take(some);
  }
  return { service, telling, last };
}

/**
 * The same, and writes the log to a file without its secrets.
 * @param onUnwritten told why the file can't be written, if it can't; the log is read all the same.
 */
export async function saveServiceLog(
  { service, lines, file }: { service: string; lines: Lines; file: string },
  patterns: readonly RegExp[],
  secrets: readonly string[],
  onUnwritten: (error: Error) => void,
): Promise<ServiceLog> {
  const forms = formsOf(secrets);
  const output = createWriteStream(file);
  output.on('error', onUnwritten);
  const write = async (some: readonly string[]): Promise<void> => {
    if (!output.writable || output.write(redactForms(`${some.join('\n')}\n`, forms))) return;
    // Where it fails instead, that has been told.
    await once(output, 'drain').catch(() => undefined);
  };
  try {
    return await readServiceLog(service, lines, patterns, write);
  } catch (error) {
    await write(['[the rest could not be read]']);
    throw error;
  } finally {
    output.end();
    await finished(output).catch(() => undefined);
  }
}
