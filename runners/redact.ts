import { readFile, stat, writeFile } from 'node:fs/promises';
import type { Endpoints } from '../components/outputs.js';

const secretName = /PASSWORD|SECRET|TOKEN|KEY/i;
const passwordInUrl = /\/\/[^/:@\s]*:([^@/\s]+)@/;
/** Anything shorter is a setting, not a secret; replacing it would mangle every text. */
const shortestSecret = 8;
const largestFileBytes = 64 * 1024 * 1024;

/** The passwords that an environment's containers hold in their environment variables. */
export function secretsOfVariables(variables: readonly string[]): string[] {
  return variables.flatMap((variable) => {
    const equals = variable.indexOf('=');
    const value = variable.slice(equals + 1);
    const inUrl = passwordInUrl.exec(value)?.[1];
    return [
      ...(secretName.test(variable.slice(0, equals)) ? [value] : []),
      ...(inUrl === undefined ? [] : [inUrl]),
    ];
  });
}

export function secretsOfEndpoints({ postgres, pgbouncer, redis, clickhouse }: Endpoints): string[] {
  return [postgres, pgbouncer, redis, clickhouse].map(({ password }) => password);
}

export function redact(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= shortestSecret)
    .reduce((redacted, secret) => redacted.replaceAll(secret, '[redacted]'), text);
}

/** The same value with every text in it redacted, however deep. */
export function redactDeep<T>(value: T, secrets: readonly string[]): T {
  const visit = (part: unknown): unknown => {
    if (typeof part === 'string') return redact(part, secrets);
    if (Array.isArray(part)) return part.map(visit);
    if (typeof part !== 'object' || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([key, entry]) => [key, visit(entry)]));
  };
  return visit(value) as T;
}

/** Rewrites a file that holds one of the secrets; one that isn't there is fine. @throws when it is too large. */
export async function redactFile(file: string, secrets: readonly string[]): Promise<void> {
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  if (size > largestFileBytes)
    throw new Error(`${file} is too large to be searched for passwords: don't publish it`);
  if (size === 0) return;
  const text = await readFile(file, 'utf8');
  const redacted = redact(text, secrets);
  if (redacted !== text) await writeFile(file, redacted);
}
