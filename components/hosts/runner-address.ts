import { isIPv4 } from 'node:net';
import { reasonOf } from '../../engine/errors.js';

/** Amazon's own: answers over IPv4 only, with the address and a line's end. */
const service = 'https://checkip.amazonaws.com/';
const timeoutMs = 10_000;

/**
 * This machine's address as the internet sees it.
 * @throws Error that names the setting to use instead.
 */
export async function findRunnerAddress(url = service): Promise<string> {
  const remedy = 'set rehearsal:host.runnerAddress to the IPv4 address that this machine connects from';
  let text: string;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    text = (await response.text()).trim();
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
  } catch (cause) {
    // Of a fetch that failed, the cause says why.
    const reason = reasonOf((cause as { cause?: unknown }).cause ?? cause);
    throw new Error(`${url} doesn't tell this machine's address (${reason}): ${remedy}`, { cause });
  }
  if (isIPv4(text)) return text;
  throw new Error(`${url} answered ${JSON.stringify(text.slice(0, 60))}, no IPv4 address: ${remedy}`);
}
