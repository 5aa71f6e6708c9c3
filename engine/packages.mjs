import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { clearInterval, setInterval } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';

const heartbeatMs = 1_000;
/** A lock that nobody touched for this long belongs to a process that is gone. */
const staleMs = 15_000;

/**
 * Runs `npm ci` unless `node_modules` already is what `package-lock.json` says. Two processes at once take
 * turns; an interrupted install counts as none.
 * @param {string} root
 * @param {{ install?: (root: string) => Promise<void>, say?: (line: string) => void }} [options]
 */
export async function ensurePackages(root, { install = npmCi, say = sayOnStderr } = {}) {
  if (packagesAreCurrent(root)) return;
  const release = await acquire(path.join(root, '.rehearsal', 'npm-install.lock'), say);
  try {
    if (packagesAreCurrent(root)) return;
    say('Installing npm packages (npm ci) …');
    const started = performance.now();
    await install(root);
    say(`npm packages installed (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  } finally {
    await release();
  }
}

/**
 * Compares the lock file with npm's own record of what it installed. npm writes that record last, so an
 * interrupted install has none.
 * @param {string} root
 */
function packagesAreCurrent(root) {
  const wanted = lockedPackages(path.join(root, 'package-lock.json'));
  if (wanted === undefined)
    throw new Error(`${path.join(root, 'package-lock.json')} is missing: clone the repository again`);
  const installed = lockedPackages(path.join(root, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return false;
  return Object.entries(wanted).every(([key, entry]) => {
    // The root and its workspaces are folders of the checkout, not packages that npm brings.
    if (!key.startsWith('node_modules/')) return true;
    const found = installed[key];
    if (found === undefined) return entry.optional === true || entry.devOptional === true;
    if (entry.link === true) return existsSync(path.join(root, key));
    return found.integrity === entry.integrity && existsSync(path.join(root, key, 'package.json'));
  });
}

function lockedPackages(file) {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch (cause) {
    throw new Error(`${file} is not valid JSON: restore it from git`, { cause });
  }
}

async function acquire(lock, say) {
  await mkdir(path.dirname(lock), { recursive: true });
  let announced = false;
  while (!(await create(lock))) {
    if (await isStale(lock)) {
      await rm(lock, { force: true });
      continue;
    }
    if (!announced) say('Another process installs the npm packages of this checkout: waiting for it …');
    announced = true;
    await sleep(200);
  }
  const heartbeat = setInterval(() => {
    utimes(lock, new Date(), new Date()).catch(() => undefined);
  }, heartbeatMs);
  return async () => {
    clearInterval(heartbeat);
    await rm(lock, { force: true });
  };
}

async function create(lock) {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

async function isStale(lock) {
  try {
    return Date.now() - (await stat(lock)).mtimeMs > staleMs;
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
}

function npmCi(root) {
  const child = spawn('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new Error('npm could not be started: install it along with Node', { cause }));
    });
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`npm ci failed (${signal ?? `exit code ${code}`}): its message stands above`));
    });
  });
}

function sayOnStderr(line) {
  process.stderr.write(`${line}\n`);
}
