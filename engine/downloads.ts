const connectTimeoutMs = 4_000;
const answers = new Map<string, Promise<boolean>>();

/**
 * Whether a download site can be reached, asked once per process. Behind a proxy the answer is yes: only
 * the download itself, which knows the proxy, can tell.
 */
export function isReachable(url: string, env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  const known = answers.get(url);
  if (known !== undefined) return known;
  const answer = (env.HTTPS_PROXY ?? env.https_proxy) === undefined ? connects(url) : Promise.resolve(true);
  answers.set(url, answer);
  return answer;
}

async function connects(url: string): Promise<boolean> {
  try {
    await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(connectTimeoutMs) });
    return true;
  } catch {
    return false;
  }
}
