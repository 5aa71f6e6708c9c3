/** The engine's answer to a request: dockerode puts its HTTP status on the error. */
function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

export const isNotModified = (error: unknown): boolean => statusOf(error) === 304;
export const isNotFound = (error: unknown): boolean => statusOf(error) === 404;
export const isConflict = (error: unknown): boolean => statusOf(error) === 409;

/** The engine's own words, without dockerode's "(HTTP code 409) conflict - " before them. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node's own words for an aborted wait say nothing; the cause is the signal's reason.
  if (error.name === 'AbortError' && error.cause !== undefined) return reasonOf(error.cause);
  const answer = 'json' in error ? error.json : undefined;
  if (typeof answer === 'object' && answer !== null && 'message' in answer) return String(answer.message);
  if (error.message === '' && 'code' in error) return String(error.code);
  return error.message.replace(/^\(HTTP code \d+\) [\w ]+ - /, '').trim();
}

/** Shorter values turn up in texts by chance. */
const leastSecretLength = 6;

/**
 * Says what was being done, in front of the engine's words.
 * @param envs Entries NAME=value of an environment: where the words quote a value, it is left out.
 */
export function failure(what: string, cause: unknown, envs: readonly string[] = []): Error {
  const values = envs.map((entry) => entry.slice(entry.indexOf('=') + 1));
  const reason = values
    .filter((value) => value.length >= leastSecretLength)
    .reduce((message, value) => message.replaceAll(value, '[hidden]'), reasonOf(cause));
  return new Error(`${what}: ${reason}`, { cause });
}

export function unreachable(host: string, cause: unknown): Error {
  return new Error(
    `no Docker Engine answers at ${host} (${reasonOf(cause)}): start it, ` +
      'or set DOCKER_HOST, the docker context or the config value docker:host to one that runs',
    { cause },
  );
}
