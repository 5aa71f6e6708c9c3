import { existsSync, watch } from 'node:fs';
import { link, mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import path from 'node:path';
import * as z from 'zod';
import { configNamespace } from '../components/config.js';
import { parseJson } from './json.js';
import { isAlive, nameOf } from './owner.js';

/**
 * The folder of a backend of files, which can be looked into; undefined for any other backend, and where the folder
 * depends on the one that Pulumi is started in.
 * @param backend as `PULUMI_BACKEND_URL` has it.
 */
export function folderOf(backend: string): string | undefined {
  const [, written] = /^file:\/\/([^?]*)/.exec(backend) ?? [];
  if (written === undefined) return undefined;
  const place = decodeURIComponent(written);
  // Pulumi takes the home of the user, whatever HOME says.
  if (place.startsWith('~/')) return path.join(userInfo().homedir, place.slice(2));
  return path.isAbsolute(place) ? place : undefined;
}

/** Whether a backend has certainly gone, and every state in it. */
export function isGone(backend: string): boolean {
  const folder = folderOf(backend);
  return folder !== undefined && !existsSync(folder);
}

const locks = 'locks/organization';
/** Where a backend of files keeps what it has of this project's stacks. */
const folderIn = (root: string, kind: string): string => path.join(root, '.pulumi', kind, configNamespace);

/** Names of this project's stacks in a backend of files; undefined where the backend is another. */
export async function stackFilesOf(backend: string): Promise<string[] | undefined> {
  const root = folderOf(backend);
  if (root === undefined) return undefined;
  const files = await readdir(folderIn(root, 'stacks'));
  return files.flatMap((file) => /^(.+)\.json(\.gz|\.zst)?$/.exec(file)?.[1] ?? []).sort();
}

/** The file of a stack's state, if it is there to be looked at. */
export function stateFileOf(backend: string, stack: string): string | undefined {
  const root = folderOf(backend);
  if (root === undefined) return undefined;
  const file = path.join(folderIn(root, 'stacks'), `${stack}.json`);
  return existsSync(file) ? file : undefined;
}

/**
 * Makes a stack without a state, with the file that `pulumi stack init` writes first. The CLI takes 0.3 s for it, most of
 * them for its own start. Its next command makes the salt, if the settings have none.
 * @returns whether it could be done: in a folder that the CLI has laid out as we know it.
 * @throws Error when there is such a stack.
 */
export async function makeStackFile(backend: string, stack: string): Promise<boolean> {
  const root = folderOf(backend);
  if (root === undefined) return false;
  const layout = await readFile(path.join(root, '.pulumi', 'meta.yaml'), 'utf8').catch(() => '');
  if (layout.trim() !== 'version: 1') return false;
  const folder = folderIn(root, 'stacks');
  await mkdir(folder, { recursive: true });
  if ((await stackFilesOf(backend))?.includes(stack) === true)
    throw new Error(`stack ${stack} is there already`);
  const state = { version: 3, checkpoint: { stack: `organization/${configNamespace}/${stack}` } };
  // As a whole or not at all: the CLI lists no stack while one of the states is cut short.
  const draft = path.join(folder, `${stack}.${String(process.pid)}.tmp`);
  try {
    await writeFile(draft, JSON.stringify(state));
    await link(draft, path.join(folder, `${stack}.json`));
  } finally {
    await rm(draft, { force: true });
  }
  return true;
}

/**
 * Removes what Pulumi keeps of a stack that it has removed: copies of its states, and empty folders. They would grow
 * by 100 KiB with each environment. Knows nothing of any other backend, and doesn't reject: nobody needs them gone.
 */
export async function removeCopies(backend: string, stack: string): Promise<void> {
  const root = folderOf(backend);
  if (root === undefined || stateFileOf(backend, stack) !== undefined) return;
  const copies = ['json.bak', 'json.bak.attrs', 'json.gz.bak', 'json.gz.bak.attrs'].map((suffix) =>
    path.join(folderIn(root, 'stacks'), `${stack}.${suffix}`),
  );
  const backups = path.join(folderIn(root, 'backups'), stack);
  await Promise.allSettled([
    ...[...copies, backups].map((one) => rm(one, { recursive: true, force: true })),
    ...['history', locks].map((kind) => rmdir(path.join(folderIn(root, kind), stack))),
  ]);
}

/** Tells when the state of a stack is written, where that can be seen. @returns what ends it. */
export function watchState(backend: string, stack: string, onWrite: (atMs: number) => void): () => void {
  const file = stateFileOf(backend, stack);
  if (file === undefined) return () => undefined;
  const watcher = watch(path.dirname(file), (_event, changed) => {
    if (changed === path.basename(file)) onWrite(Date.now());
  });
  // A folder that can't be watched any more costs a timeline something, and nobody else.
  watcher.on('error', () => undefined);
  return () => {
    watcher.close();
  };
}

const lockSchema = z.object({ pid: z.int().positive(), hostname: z.string() });

/** What can be told of those who hold a lock on a stack. */
export interface LockHolders {
  /** Numbers of this machine's processes that live, and are Pulumi's. */
  alive: number[];
  /** How many are of this machine and have certainly ended. */
  dead: number;
  /** How many nothing can be told of: those of other machines, and numbers that another program may have by now. */
  unknown: number;
}

/** Where the backend isn't one of files, there is nothing to be told: nobody at all. */
export async function lockHoldersOf(backend: string, stack: string): Promise<LockHolders> {
  const holders: LockHolders = { alive: [], dead: 0, unknown: 0 };
  const root = folderOf(backend);
  if (root === undefined) return holders;
  const folder = path.join(folderIn(root, locks), stack);
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((each) => each.endsWith('.json'))) {
    // One that is given back meanwhile keeps nobody out.
    const text = await readFile(path.join(folder, name), 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const lock = lockSchema.safeParse(parseJson(text));
    if (!lock.success || lock.data.hostname !== hostname()) holders.unknown += 1;
    else if (!isAlive(lock.data.pid)) holders.dead += 1;
    else if (nameOf(lock.data.pid)?.startsWith('pulumi') === true) holders.alive.push(lock.data.pid);
    else holders.unknown += 1;
  }
  return holders;
}
