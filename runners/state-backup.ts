import { readFile, rm } from 'node:fs/promises';
import { replaceFile } from '../engine/replace-file.js';
import { stateFileOf } from './file-backend.js';
import { parseJson } from './json.js';

/**
 * Brings a stack's state back that a full disk has emptied: a backend of files then refuses to list any of its stacks.
 * Beside each state Pulumi keeps the one before the last change, of which a destroy can go out; where there is none,
 * nothing had been made. Does nothing about a state that can be read, and doesn't reject.
 * @param backend as the stack's lease has it, if it has one.
 */
export async function restoreState(backend: string | undefined, stack: string): Promise<void> {
  const file = backend === undefined ? undefined : stateFileOf(backend, stack);
  if (file === undefined || (await readFile(file, 'utf8').catch(() => undefined)) !== '') return;
  const backup = await readFile(`${file}.bak`, 'utf8').catch(() => undefined);
  if (backup === undefined) {
    await rm(file, { force: true }).catch(() => undefined);
    return;
  }
  if (parseJson(backup) === undefined) return;
  // While the disk is full it fails: somebody comes again.
  await replaceFile(file, backup, 0o600).catch(() => undefined);
}
