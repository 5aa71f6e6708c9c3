import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { redact, redactFile, secretsOfVariables } from '../../runners/redact.js';

test('secrets are found in variables, by name and in addresses', () => {
  const variables = [
    'POSTGRES_PASSWORD=first-secret',
    'DATABASE_URL=postgres://app:second-secret@postgres:5432/app',
    'TOKEN_SECRET=third=secret',
    'PORT=8080',
  ];
  expect(secretsOfVariables(variables)).toEqual(['first-secret', 'second-secret', 'third=secret']);
});

test('every occurrence is replaced, and settings that only look like secrets stay', () => {
  const secrets = [...secretsOfVariables(['TOKEN_TTL_SECONDS=900', 'PASSWORD=hush-hush'])];
  expect(redact('hush-hush, 900, hush-hush', secrets)).toBe('[redacted], 900, [redacted]');
});

test('a file is rewritten, one that is not there is fine', async () => {
  const file = path.join(await mkdtemp(path.join(tmpdir(), 'redact-')), 'log');
  await redactFile(file, ['hush-hush']);
  await writeFile(file, 'say hush-hush\n');
  await redactFile(file, ['hush-hush']);
  expect(await readFile(file, 'utf8')).toBe('say [redacted]\n');
});
