import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
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
      else if (entry.isFile()) {
        const isProjects = entries === folder && /^Pulumi\..*yaml$/.test(entry.name);
        await attempt(name, isProjects ? redactProjectFile(name, secrets) : redactFile(name, forms));
      }
    }
  };
  await attempt(folder, visit(folder));
  return problems;
}

/** @param forms a character per byte, so that a file in no encoding, or several, stays as it is. */
async function redactFile(file: string, forms: readonly string[]): Promise<void> {
  const { size } = await stat(file);
  if (size > largestFileMb * bytesPerMb) throw new Error(`it has more than ${String(largestFileMb)} MiB`);
  const text = await readFile(file, 'latin1');
  const redacted = redactForms(text, forms);
  if (redacted !== text) await writeFile(file, redacted, 'latin1');
}

/** Names and keys stay what they are. */
async function redactProjectFile(file: string, secrets: readonly string[]): Promise<void> {
  // It has no value of any service.
  if (path.basename(file) === 'Pulumi.yaml') return;
  try {
    const settings: unknown = parse(await readFile(file, 'utf8'));
    const redacted = redactDeep(settings, secrets);
    if (!isDeepStrictEqual(redacted, settings)) await writeFile(file, stringify(redacted));
  } catch {
    await redactFile(file, formsOf(secrets).map(bytesOf));
  }
}

const bytesOf = (text: string): string => Buffer.from(text).toString('latin1');
