import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { isReachable } from './downloads.js';
import { canInstallPackages, findOnPath, installPackages } from './machine.js';
import { reasonOf } from './errors.js';
import { type Found, type Update } from './pieces.js';

const downloadSite = 'https://cdn.playwright.dev/';
const commands = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

const withoutApt =
  'The suites need a browser, and none can be downloaded: install Chromium or Google Chrome, or run this as root on a machine with apt';

interface Browser extends Found {
  path: string;
}

/** A Chromium for the suites that look at pages: an installed one, else Playwright's, else Debian's. */
export async function ensureBrowser(update: Update): Promise<Browser> {
  const found = await installedBrowser();
  if (found !== undefined) return found;
  let reason = `${downloadSite} can't be reached`;
  if (await isReachable(downloadSite)) {
    update('downloading Chromium');
    try {
      const cli = path.join(
        path.dirname(createRequire(import.meta.url).resolve('playwright-core/package.json')),
        'cli.js',
      );
      await execa(process.execPath, [cli, 'install', 'chromium'], { stdin: 'ignore' });
      const own = await playwrightsPath();
      return { way: 'official', version: await versionOf(own), path: own };
    } catch (error) {
      reason = `Playwright's download failed: ${reasonOf(error)}`;
    }
  }
  if (!canInstallPackages()) throw new Error(withoutApt);
  update(`${reason}; installing Debian's chromium with apt`);
  await installPackages(['chromium']);
  const installed = await installedBrowser();
  if (installed === undefined)
    throw new Error(
      "apt installed chromium, but it can't be started: install Chromium or Google Chrome by hand",
    );
  return { ...installed, way: 'fallback', detail: reason };
}

/** Why no browser could be had here. */
export async function browserObstacle(): Promise<string | undefined> {
  return canInstallPackages() || (await isReachable(downloadSite)) ? undefined : withoutApt;
}

export async function installedBrowser(): Promise<Browser | undefined> {
  for (const command of commands) {
    const file = findOnPath(command);
    if (file === undefined) continue;
    const version = await tryVersion(file);
    if (version !== undefined) return { way: 'installed', version, path: file };
  }
  const own = await playwrightsPath();
  const version = existsSync(own) ? await tryVersion(own) : undefined;
  return version === undefined ? undefined : { way: 'installed', version, path: own };
}

/** Where Playwright's download is, or would be. Asked in another process: the library would take 100 MB of this one. */
async function playwrightsPath(): Promise<string> {
  const script = "process.stdout.write(require('playwright-core').chromium.executablePath())";
  const { stdout } = await execa(process.execPath, ['--eval', script], {
    cwd: import.meta.dirname,
    stdin: 'ignore',
  });
  return stdout;
}

async function tryVersion(file: string): Promise<string | undefined> {
  try {
    return await versionOf(file);
  } catch {
    return undefined;
  }
}

async function versionOf(file: string): Promise<string> {
  const { stdout } = await execa(file, ['--version'], { stdin: 'ignore' });
  return /\d+(?:\.\d+)+/.exec(stdout)?.[0] ?? stdout.trim();
}
