import { types } from 'node:util';

/**
 * Why a fetch failed, in the words of the system: fetch itself hides them in its cause. Its errors are made outside
 * of Jest's realm, where `instanceof Error` doesn't know them.
 */
export function reasonOfFetch(error: unknown): string {
  if (!types.isNativeError(error)) return String(error);
  return types.isNativeError(error.cause) ? error.cause.message : error.message;
}
