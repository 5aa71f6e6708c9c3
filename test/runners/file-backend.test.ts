import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  folderOf,
  isGone,
  lockHoldersOf,
  makeStackFile,
  removeCopies,
  stackFilesOf,
} from '../../runners/file-backend.js';

let root: string;
let backend: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'rehearsal-backend-'));
  backend = pathToFileURL(root).href;
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

describe('a backend of files', () => {
  test.each([
    ['file:///var/lib/state', '/var/lib/state'],
    ['file:///var/lib/state?create_dir=true', '/var/lib/state'],
    ['file:///with%20a%20blank', '/with a blank'],
    ['file://~/state', path.join(userInfo().homedir, 'state')],
    ['file://./state', undefined],
    ['s3://bucket', undefined],
    ['', undefined],
  ])('%j is the folder %j', (address, folder) => {
    expect(folderOf(address)).toBe(folder);
  });

  test('is gone when its folder is; of any other backend nothing is known', async () => {
    expect(isGone(backend)).toBe(false);
    await rm(root, { recursive: true });
    expect(isGone(backend)).toBe(true);
    expect(isGone('s3://no-such-bucket')).toBe(false);
    expect(isGone('')).toBe(false);
  });
});

test('the stacks in a backend of files are this project’s, without their backups', async () => {
  const stacks = path.join(root, '.pulumi', 'stacks');
  for (const project of ['rehearsal', 'alien']) {
    await mkdir(path.join(stacks, project), { recursive: true });
    for (const file of ['json', 'json.bak', 'json.attrs', 'pulumi-tags', 'json.gz']) {
      const name = file === 'json.gz' ? 'packed' : 'one.dotted';
      await writeFile(path.join(stacks, project, `${project}-${name}.${file}`), '');
    }
  }
  expect(await stackFilesOf(backend)).toEqual(['rehearsal-one.dotted', 'rehearsal-packed']);
  expect(await stackFilesOf('s3://bucket')).toBeUndefined();
});

describe('a stack is made as a file', () => {
  const layOut = async (layout: string): Promise<void> => {
    await mkdir(path.join(root, '.pulumi'));
    await writeFile(path.join(root, '.pulumi', 'meta.yaml'), layout);
  };

  test('where the Pulumi CLI has laid out the folder, once', async () => {
    await layOut('version: 1\n');
    expect(await makeStackFile(backend, 'one')).toBe(true);
    const file = path.join(root, '.pulumi', 'stacks', 'rehearsal', 'one.json');
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      version: 3,
      checkpoint: { stack: 'organization/rehearsal/one' },
    });
    await expect(makeStackFile(backend, 'one')).rejects.toThrow('stack one is there already');
    expect(await readdir(path.dirname(file))).toEqual(['one.json']);
  });

  test.each([
    ['a layout that it does not know', 'version: 2\n'],
    ['an empty folder', undefined],
  ])('but not in %s', async (_, layout) => {
    if (layout !== undefined) await layOut(layout);
    const before = await readdir(root, { recursive: true });
    expect(await makeStackFile(backend, 'one')).toBe(false);
    expect(await readdir(root, { recursive: true })).toEqual(before);
  });

  test('but not in a backend that is no folder', async () => {
    expect(await makeStackFile('s3://bucket', 'one')).toBe(false);
  });
});

describe('copies of a state', () => {
  /** As Pulumi leaves them of a stack that it has removed. */
  async function leaveCopies(stack: string): Promise<void> {
    const of = (kind: string): string => path.join(root, '.pulumi', kind, 'rehearsal');
    for (const kind of ['backups', 'history', 'locks/organization'])
      await mkdir(path.join(of(kind), stack), { recursive: true });
    await mkdir(of('stacks'), { recursive: true });
    for (const copy of ['json.bak', 'json.bak.attrs', 'json.gz.bak'])
      await writeFile(path.join(of('stacks'), `${stack}.${copy}`), '{}');
    await writeFile(path.join(of('backups'), stack, `${stack}.1795809441479272288.json`), '{}');
  }
  const left = async (): Promise<string[]> =>
    (await readdir(root, { recursive: true })).filter((name) => name.includes('one')).sort();

  test('go with a stack that is gone, and no other’s do', async () => {
    await leaveCopies('one');
    await leaveCopies('one-more');
    const others = (await left()).filter((name) => name.includes('one-more'));
    await removeCopies(backend, 'one');
    expect(await left()).toEqual(others);
    expect(others.length).toBeGreaterThan(0);
    await removeCopies(backend, 'one');
  });

  test('stay as long as there is a stack of that name, and while somebody holds its lock', async () => {
    await leaveCopies('one');
    const state = path.join(root, '.pulumi', 'stacks', 'rehearsal', 'one.json');
    await writeFile(state, '{}');
    const before = await left();
    await removeCopies(backend, 'one');
    expect(await left()).toEqual(before);

    await rm(state);
    const lock = '.pulumi/locks/organization/rehearsal/one/lock.json';
    await writeFile(path.join(root, lock), '{}');
    await removeCopies(backend, 'one');
    expect(await left()).toEqual([path.dirname(lock), lock]);
  });

  test('are nobody’s business where the backend isn’t one of files', async () => {
    await expect(removeCopies('s3://bucket', 'one')).resolves.toBeUndefined();
  });
});

describe('who holds a lock', () => {
  /** As Pulumi writes it. */
  async function leaveLock(content: object | string): Promise<void> {
    const folder = path.join(root, '.pulumi', 'locks', 'organization', 'rehearsal', 'dev');
    await mkdir(folder, { recursive: true });
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    await writeFile(path.join(folder, `${crypto.randomUUID()}.json`), text);
  }
  const lockOf = (pid: number, host = hostname()): object => ({
    ...{ pid, username: 'somebody', hostname: host, timestamp: '2026-01-01T00:00:00.123456789Z' },
  });
  const nobody = { alive: [], dead: 0, unknown: 0 };
  async function endedPid(): Promise<number> {
    const child = spawn(process.execPath, ['--eval', '']);
    await once(child, 'exit');
    return child.pid ?? 0;
  }

  test('is nobody where there is none, or none to be seen', async () => {
    expect(await lockHoldersOf(backend, 'dev')).toEqual(nobody);
    expect(await lockHoldersOf('s3://bucket', 'dev')).toEqual(nobody);
  });

  test('is dead when no process has the number', async () => {
    await leaveLock(lockOf(await endedPid()));
    expect(await lockHoldersOf(backend, 'dev')).toEqual({ ...nobody, dead: 1 });
    expect(await lockHoldersOf(backend, 'other')).toEqual(nobody);
  });

  test('is alive when a process of Pulumi has the number', async () => {
    const program = path.join(root, 'pulumi');
    await copyFile('/bin/sleep', program);
    const child = spawn(program, ['60']);
    await once(child, 'spawn');
    try {
      await leaveLock(lockOf(child.pid ?? 0));
      expect(await lockHoldersOf(backend, 'dev')).toEqual({ ...nobody, alive: [child.pid] });
    } finally {
      child.kill();
      await once(child, 'exit');
    }
  });

  test('is not known when another program has the number, on another machine, or when it is cut short', async () => {
    await leaveLock(lockOf(process.pid));
    await leaveLock(lockOf(await endedPid(), 'elsewhere'));
    await leaveLock('{"pid": 1');
    expect(await lockHoldersOf(backend, 'dev')).toEqual({ ...nobody, unknown: 3 });
  });
});
