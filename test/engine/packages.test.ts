import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { waitUntil } from '../../engine/wait.js';
import { temporaryFolder } from '../helpers/temporary.js';

const engine = path.resolve('engine');
let root: string;

/** A checkout with one dependency, `thing`, of this integrity. */
async function writeLock(integrity: string): Promise<void> {
  const packages = {
    '': {},
    'node_modules/thing': { integrity },
    'node_modules/other-os': { integrity, optional: true },
  };
  await writeFile(path.join(root, 'package-lock.json'), JSON.stringify({ packages }));
}

/**
 * Calls ensurePackages in a process of its own; its install logs and ends as npm does, a held one only when the
 * process's stdin is closed.
 */
function ensurePackages({ held = false } = {}) {
  const script = `
    import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
    import { text } from 'node:stream/consumers';
    import { ensurePackages } from ${JSON.stringify(pathToFileURL(path.join(engine, 'packages.mjs')).href)};
    await ensurePackages(process.cwd(), { install: async () => {
      appendFileSync('installs.log', 'begin\\n');
      mkdirSync('node_modules/thing', { recursive: true });
      writeFileSync('node_modules/thing/package.json', '{}');
      await text(process.stdin);
      const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
      // As npm does: what isn't for this machine is not in the record.
      delete packages['node_modules/other-os'];
      writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages }));
      appendFileSync('installs.log', 'end\\n');
    } });`;
  return execa(process.execPath, ['--input-type=module', '-e', script], {
    ...{ cwd: root, reject: false, stdin: held ? 'pipe' : 'ignore' },
  });
}

const log = async (): Promise<string[]> =>
  existsSync(path.join(root, 'installs.log'))
    ? (await readFile(path.join(root, 'installs.log'), 'utf8')).trim().split('\n')
    : [];

const patience = { deadlineMs: 20_000, intervalMs: 50 };
const installBegins = (): Promise<string[]> =>
  waitUntil(log, (lines) => lines.length > 0, { what: 'install begins', ...patience });

beforeEach(async () => {
  root = temporaryFolder('packages');
  await writeLock('sha512-a');
});

describe('npm packages', () => {
  test('are installed once, and again only when the lock file names others', async () => {
    const first = await ensurePackages();
    expect(first.exitCode).toBe(0);
    expect(first.stderr).toContain('Installing npm packages');
    expect((await ensurePackages()).stderr).toBe('');
    expect(await log()).toEqual(['begin', 'end']);

    await writeLock('sha512-b');
    await ensurePackages();
    expect(await log()).toEqual(['begin', 'end', 'begin', 'end']);
  });

  test('are installed again when one of them was deleted', async () => {
    await ensurePackages();
    await rm(path.join(root, 'node_modules', 'thing'), { recursive: true });
    await ensurePackages();
    expect(await log()).toEqual(['begin', 'end', 'begin', 'end']);
  });

  test('are installed by one of two processes while the other waits', async () => {
    const one = ensurePackages({ held: true });
    await installBegins();
    const two = ensurePackages();
    let said = '';
    two.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const isWaiting = (): Promise<boolean> => Promise.resolve(said.includes('waiting for it'));
    await waitUntil(isWaiting, Boolean, { what: 'the other waits', ...patience });
    one.stdin?.end();
    expect([(await one).exitCode, (await two).exitCode]).toEqual([0, 0]);
    expect(await log()).toEqual(['begin', 'end']);
  });

  test('are installed anew after an install that was killed', async () => {
    const killed = ensurePackages({ held: true });
    await installBegins();
    killed.kill('SIGKILL');
    await killed;
    // The dead process no longer touches its lock: make the 15 s pass at once.
    const past = new Date(Date.now() - 60_000);
    await utimes(path.join(root, '.rehearsal', 'npm-install.lock'), past, past);
    expect((await ensurePackages()).exitCode).toBe(0);
    expect(await log()).toEqual(['begin', 'begin', 'end']);
  });
});

describe('the bootstrap', () => {
  const bootstrap = async (engines: string): Promise<void> => {
    await mkdir(path.join(root, 'engine'));
    for (const file of ['bootstrap.mjs', 'packages.mjs']) {
      await cp(path.join(engine, file), path.join(root, 'engine', file));
    }
    await writeFile(path.join(root, 'package.json'), JSON.stringify({ engines: { node: engines } }));
  };

  test('says which Node it needs, before anything else', async () => {
    await bootstrap('>=99.1');
    const result = await execa(process.execPath, ['engine/bootstrap.mjs', 'run'], {
      cwd: root,
      reject: false,
    });
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toBe(
      `Node 99.1 or newer is needed, this is ${process.versions.node}: install a current LTS release`,
    );
  });

  test('names a lock file that is not JSON', async () => {
    await bootstrap('>=20.19');
    await writeFile(path.join(root, 'package-lock.json'), '{ "packages": ');
    const result = await execa(process.execPath, ['engine/bootstrap.mjs', 'run'], {
      cwd: root,
      reject: false,
    });
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('package-lock.json is not valid JSON');
  });
});
