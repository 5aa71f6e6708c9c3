import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import type { EnvironmentSpec } from '../components/config.js';
import type { Endpoints } from '../components/outputs.js';
import { formsOf, redactForms } from '../engine/redact.js';
import { messageOf } from './errors.js';

const largestFileMb = 64;
const bytesPerMb = 1024 * 1024;

export function secretsOfEndpoints({ postgres, pgbouncer, redis, clickhouse }: Endpoints): string[] {
  return [postgres, pgbouncer, redis, clickhouse].map(({ password }) => password);
}

/** Names of the services' variables that the settings have as secrets. */
export function secretVariablesOf({ services }: EnvironmentSpec): string[] {
  return Object.values(services).flatMap(({ secretVariables }) => secretVariables);
}

/** The same value with every text in it redacted, however deep. */
export function redactDeep<T>(value: T, secrets: readonly string[]): T {
  const forms = formsOf(secrets);
  const visit = (part: unknown): unknown => {
    if (typeof part === 'string') return redactForms(part, forms);
    if (Array.isArray(part)) return part.map(visit);
    if (typeof part !== 'object' || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([key, entry]) => [key, visit(entry)]));
  };
  return visit(value) as T;
}

/**
 * Rewrites every file of a folder that holds one of the secrets, whatever its format. What is packed or encrypted
 * isn't looked into, and links aren't followed. A project of Pulumi stays one, for its destroy. Never rejects.
 * @returns what couldn't be searched, in words.
 */
export async function redactFolder(folder: string, secrets: readonly string[]): Promise<string[]> {
  const forms = formsOf(secrets).map(bytesOf);
  const problems: string[] = [];
  const attempt = async (entry: string, work: Promise<void>): Promise<void> => {
    await work.catch((error: unknown) => {
      problems.push(`${entry} can't be searched for passwords, don't publish it: ${messageOf(error)}`);
    });
  };
  const visit = async (entries: string): Promise<void> => {
    for (const entry of await readdir(entries, { withFileTypes: true })) {
      const name = path.join(entries, entry.name);
      if (entry.isDirectory()) await attempt(name, visit(name));
      else if (entry.isFile()) await attempt(name, redactFile(name, { forms, secrets }));
    }
  };
  await attempt(folder, visit(folder));
  return problems;
}

interface Wanted {
  /** A character per byte, so that a file in no encoding, or several, stays as it is. */
  forms: readonly string[];
  secrets: readonly string[];
}

async function redactFile(file: string, { forms, secrets }: Wanted): Promise<void> {
  // It has the project's name and no value of any service.
  if (path.basename(file) === 'Pulumi.yaml') return;
  const { size } = await stat(file);
  if (size > largestFileMb * bytesPerMb) throw new Error(`it has more than ${String(largestFileMb)} MiB`);
  const text = await readFile(file, 'latin1');
  const redacted = (await redactSettings(file, secrets)) ?? redactForms(text, forms);
  if (redacted !== text) await writeFile(file, redacted, 'latin1');
}

/** Keys stay what they are. Undefined when the file has no settings. */
async function redactSettings(file: string, secrets: readonly string[]): Promise<string | undefined> {
  if (!/^Pulumi\..+\.yaml$/.test(path.basename(file))) return undefined;
  try {
    const settings: unknown = parse(await readFile(file, 'utf8'));
    return Buffer.from(stringify(redactDeep(settings, secrets))).toString('latin1');
  } catch {
    return undefined;
  }
}

const bytesOf = (text: string): string => Buffer.from(text).toString('latin1');
