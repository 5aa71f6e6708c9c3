import { existsSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { ConfigError, configNamespace } from '../components/config.js';
import { projectFolder } from '../engine/stack-files.js';
import { readYamlMap } from '../engine/yaml-file.js';

const encryptionSchema = z.object({
  encryptionsalt: z.string().optional(),
  secretsprovider: z.string().optional(),
  encryptedkey: z.string().optional(),
});
/** What `{secure: …}` values are decrypted with, together with the passphrase or the provider's own keys. */
export type Encryption = z.infer<typeof encryptionSchema>;

/** A stack's settings file, as Pulumi reads it. */
export interface Settings {
  /** For messages: the file's name, or that there is none. */
  source: string;
  /** Values by key, `rehearsal:profile`. */
  config: Record<string, unknown>;
  encryption: Encryption;
}

const fileSchema = encryptionSchema.extend({
  config: z.record(z.string(), z.unknown()).nullish(),
  /** Of Pulumi ESC. */
  environment: z.unknown().optional(),
});
const fileKeys = Object.keys(fileSchema.shape);
/** This project, its providers, and Pulumi itself. */
const namespaces = [configNamespace, 'docker', 'aws', 'pulumi'];

/** Where stacks that outlive a command keep their logs, and settings that Pulumi may write; relative to the checkout. */
export const stacksFolder = path.join('.rehearsal', 'stacks');

const defaultStack = 'dev';

/** Its name; without a stack, that of the default one, which may be missing. */
export const settingsFile = (stack?: string): string => `Pulumi.${stack ?? defaultStack}.yaml`;

export interface SettingsRequest {
  checkout: string;
  /** `dev` by default, whose file may be missing. */
  stack?: string | undefined;
  mayBeMissing?: boolean;
  /** Told when an edited file and `pulumi config set` disagree, and what isn't read. */
  note: (line: string) => void;
}

/**
 * Reads `Pulumi.<stack>.yaml`, with what `npm run pulumi -- config set` added to it.
 * @throws Error with file, line and column of what is no YAML; ConfigError.
 */
export async function readSettings({
  checkout,
  stack,
  mayBeMissing = stack === undefined,
  note,
}: SettingsRequest): Promise<Settings> {
  const name = settingsFile(stack);
  if (!existsSync(path.join(checkout, name))) {
    if (mayBeMissing) return { source: 'the defaults', config: {}, encryption: {} };
    throw new ConfigError([`there is no such file: choose another stack with --stack, or write it`], name);
  }
  const folder = await projectFolder(
    checkout,
    path.join(checkout, stacksFolder),
    stack ?? defaultStack,
    note,
  );
  const file = await readYamlMap(path.join(folder, name));
  if ('environment' in file) {
    note(
      `${name}: "environment" (Pulumi ESC) is read by plain Pulumi only: what counts here belongs under config`,
    );
  }
  return settingsOf(file, name);
}

/** @throws Error with file, line and column of what is no YAML; ConfigError. */
export async function readSettingsFile(file: string): Promise<Settings> {
  return settingsOf(await readYamlMap(file), path.basename(file));
}

/**
 * @param file what is in a settings file.
 * @throws ConfigError
 */
export function settingsOf(file: unknown, source: string): Settings {
  const parsed = fileSchema.safeParse(file);
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
      source,
    );
  }
  const { config, ...rest } = parsed.data;
  const entries = Object.entries(config ?? {}).map(([key, value]) => [withNamespace(key), value] as const);
  const problems = [
    ...Object.keys(file as object)
      .filter((key) => !fileKeys.includes(key))
      .map(
        (key) => `${key}: allowed at the top are ${fileKeys.join(', ')}; all settings belong under config`,
      ),
    ...entries
      .filter(([key]) => !namespaces.includes(key.split(':')[0] ?? ''))
      .map(([key]) => `${key}: allowed before the colon are ${namespaces.join(', ')}`),
  ];
  if (problems.length > 0) throw new ConfigError(problems, source);
  return { source, config: Object.fromEntries(entries), encryption: encryptionSchema.parse(rest) };
}

/** Pulumi takes a key without a namespace for one of the project's own. */
const withNamespace = (key: string): string => (key.includes(':') ? key : `${configNamespace}:${key}`);
