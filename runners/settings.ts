import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { ConfigError, configNamespace } from '../components/config.js';

/** A stack's settings file, as Pulumi reads it. */
export interface Settings {
  /** For messages: the file's name, or that there is none. */
  source: string;
  /** Values by key, `rehearsal:profile`. */
  config: Record<string, unknown>;
  /** What `{secure: …}` values are decrypted with, together with the passphrase. */
  encryption: Record<string, unknown>;
}

const fileSchema = z.looseObject({
  config: z.record(z.string(), z.unknown()).nullish(),
  encryptionsalt: z.string().optional(),
  secretsprovider: z.string().optional(),
  encryptedkey: z.string().optional(),
});

const defaultStack = 'dev';

/**
 * Reads `Pulumi.<stack>.yaml`. Without a stack's name that is `dev`, and its file may be missing.
 * @throws ConfigError that names file, line and column.
 */
export function readSettings(
  projectFolder: string,
  stack: string | undefined,
  { mayBeMissing = stack === undefined } = {},
): Settings {
  const name = `Pulumi.${stack ?? defaultStack}.yaml`;
  const file = path.join(projectFolder, name);
  if (!existsSync(file)) {
    if (mayBeMissing) return { source: 'the defaults', config: {}, encryption: {} };
    throw new ConfigError([`there is no such file: choose another stack with --stack, or write it`], name);
  }
  const lines = new LineCounter();
  const document = parseDocument(readFileSync(file, 'utf8'), { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map((error) => {
        const { line, col } = lines.linePos(error.pos[0]);
        return `${name}:${String(line)}:${String(col)}: not valid YAML: ${error.message}`;
      }),
      name,
    );
  }
  const parsed = fileSchema.safeParse(document.toJS() ?? {});
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the whole file'}: ${issue.message}`),
      name,
    );
  }
  const { config, encryptionsalt, secretsprovider, encryptedkey } = parsed.data;
  return {
    source: name,
    config: Object.fromEntries(
      Object.entries(config ?? {}).map(([key, value]) => [withNamespace(key), value]),
    ),
    encryption: Object.fromEntries(
      Object.entries({ encryptionsalt, secretsprovider, encryptedkey }).filter(
        ([, value]) => value !== undefined,
      ),
    ),
  };
}

/** Pulumi takes a key without a namespace for one of the project's own. */
const withNamespace = (key: string): string => (key.includes(':') ? key : `${configNamespace}:${key}`);
