import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { messageOf } from './errors.js';
import { StackError, type PulumiCommand } from './pulumi.js';

/** A backend in the cloud puts the organisation and a slash before the name. */
const stackListSchema = z.array(z.object({ name: z.string() }));

/**
 * Names of the project's stacks in a backend.
 * @throws StackError: for the sake of one state that it can't read Pulumi lists no stack, and doesn't say which it is.
 */
export async function listStacks(
  pulumi: PulumiCommand,
  checkout: string,
  backend: string | undefined,
): Promise<string[]> {
  const listed = await pulumi(['stack', 'ls', '--json'], checkout).catch(async (cause: unknown) => {
    const unreadable = await unreadableStates(pulumi, checkout, folderOf(backend));
    if (unreadable.length === 0) throw cause;
    throw new StackError(`the stacks can't be listed because of ${unreadable.join(' and of ')}`, { cause });
  });
  return stackListSchema.parse(JSON.parse(listed)).map(({ name }) => name.replace(/^.*\//, ''));
}

/** Whether a stack is in the backend. It is asked for itself first: another one's state may spoil the list. */
export async function isThere(
  name: string,
  stacks: { names(): Promise<string[]>; labelsOf(name: string): Promise<unknown> },
): Promise<boolean> {
  const isReadable = await stacks.labelsOf(name).then(
    () => true,
    () => false,
  );
  return isReadable || (await stacks.names()).includes(name);
}

/** Of a backend that is a folder on this machine. */
export const folderOf = (backend = ''): string | undefined =>
  backend.startsWith('file:///') ? fileURLToPath(backend) : undefined;

/** Files of states that Pulumi can't read, and why not. */
async function unreadableStates(
  pulumi: PulumiCommand,
  checkout: string,
  folder: string | undefined,
): Promise<string[]> {
  if (folder === undefined) return [];
  const states = path.join(folder, '.pulumi', 'stacks');
  const files = await readdir(states, { recursive: true }).catch(() => []);
  const unreadable: string[] = [];
  for (const name of files.filter((file) => file.endsWith('.json')).sort()) {
    const stack = `organization/${name.slice(0, -'.json'.length)}`;
    await pulumi(['stack', 'export', '--stack', stack], checkout).catch((error: unknown) => {
      const file = path.join(states, name);
      const copy = existsSync(`${file}.bak`) ? ` (the state before it is in ${file}.bak)` : '';
      unreadable.push(`${file}: ${messageOf(error).trim()}${copy}`);
    });
  }
  return unreadable;
}
