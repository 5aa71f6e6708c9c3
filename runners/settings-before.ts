import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import * as z from 'zod';
import { readIfThere } from './files.js';
import { parseJson } from './json.js';
import { settingsFile, stacksFolder } from './settings.js';

const recordSchema = z.object({
  file: z.string(),
  /** The file's text before the environment came up, null when there was no file. */
  before: z.string().nullable(),
  after: z.string(),
});
type SettingsRecord = z.infer<typeof recordSchema>;

const recordFile = (checkout: string, stack: string): string =>
  path.join(checkout, stacksFolder, stack, 'settings-before.json');

/**
 * Has `write` write into a stack's settings file what belongs to its environment: the choices of the command line,
 * and Pulumi's own. It is remembered what the file was before, so that this goes with the environment.
 * @param project folder of the project and the settings file.
 */
export async function rememberingSettings<T>(
  { checkout, project, stack }: { checkout: string; project: string; stack: string },
  write: () => Promise<T>,
): Promise<T> {
  const file = path.join(project, settingsFile(stack));
  const now = await readIfThere(file);
  // Of this environment, or of one that others have destroyed.
  const older = await readRecord(checkout, stack);
  const before = older !== undefined && isAsWritten(now, older) ? older.before : (now ?? null);
  const result = await write().catch(async (error: unknown) => {
    // No environment comes of it that this could go with.
    await putBack(file, now ?? null);
    throw error;
  });
  const record: SettingsRecord = { file, before, after: (await readIfThere(file)) ?? '' };
  await mkdir(path.dirname(recordFile(checkout, stack)), { recursive: true });
  await writeFile(recordFile(checkout, stack), JSON.stringify(record), { mode: 0o600 });
  return result;
}

/**
 * Gives a stack that is gone the settings file that it had before. One that somebody has changed since stays.
 * @returns what people should know.
 */
export async function restoreSettings(checkout: string, stack: string): Promise<string | undefined> {
  const record = await readRecord(checkout, stack);
  if (record === undefined) return undefined;
  const { file, before } = record;
  const now = await readIfThere(file);
  await rm(recordFile(checkout, stack));
  if (now === undefined || now === before) return undefined;
  if (!isAsWritten(now, record)) {
    return `${settingsFile(stack)} has been edited since "up": it stays as it is, with what "up" was told`;
  }
  await putBack(file, before);
  return undefined;
}

/** @param before the file's text, null when there was no file. */
async function putBack(file: string, before: string | null): Promise<void> {
  if (before === null) await rm(file, { force: true });
  else await writeFile(file, before);
}

/** Whether nobody has edited it since. */
const isAsWritten = (now: string | undefined, { after }: SettingsRecord): boolean =>
  isDeepStrictEqual(parse(now ?? ''), parse(after));

async function readRecord(checkout: string, stack: string): Promise<SettingsRecord | undefined> {
  const text = await readIfThere(recordFile(checkout, stack));
  return text === undefined ? undefined : recordSchema.safeParse(parseJson(text)).data;
}
