import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { deadlines } from './deadlines.js';

/** Starts the browser that REHEARSAL_CHROMIUM names, at the lowest priority. */
const executablePath = fileURLToPath(new URL('chromium', import.meta.url));

export function launchBrowser(): Promise<Browser> {
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({
    executablePath,
    args: [
      // Chromium refuses to run as root with its sandbox.
      ...(isRoot ? ['--no-sandbox'] : []),
      '--disable-background-networking',
      '--disable-gpu',
      // A container's /dev/shm is often too small for ten pages.
      '--disable-dev-shm-usage',
    ],
  });
}

/**
 * A page that shares nothing with the browser's other pages. Chromium drops a request that is connecting while a
 * network of its host comes or goes, and Docker makes and removes one for each environment; so what pages ask for
 * over HTTP is fetched by Playwright, outside Chromium's network stack. WebSockets are Chromium's own.
 */
export async function openPage(browser: Browser): Promise<Page> {
  const context = await browser.newContext({
    // Animations cost a software renderer more than everything else on the page.
    reducedMotion: 'reduce',
    // Chromium can't tell where an answer that was fetched for it came from, and protects the host's own ports.
    permissions: ['local-network-access'],
  });
  context.setDefaultTimeout(deadlines.pageMs);
  await context.route('**', async (route) => {
    try {
      await route.fulfill({ response: await route.fetch() });
    } catch {
      // The page may be gone meanwhile.
      await route.abort('connectionfailed').catch(() => undefined);
    }
  });
  return context.newPage();
}
