import type { Interruption } from './suite-cycle.js';

/** npm passes a terminal's Ctrl-C on to a program that got it already: the second one of a pair is no second wish. */
const pairMs = 500;

/** The first SIGINT, SIGTERM or SIGHUP asks for an orderly end, a second one for an end at once. */
export function listenForInterruption(onFirst: () => void): Interruption {
  const stop = new AbortController();
  const abandon = new AbortController();
  let firstMs: number | undefined;
  const onSignal = (): void => {
    const nowMs = performance.now();
    if (firstMs === undefined) {
      firstMs = nowMs;
      onFirst();
      stop.abort();
    } else if (nowMs - firstMs > pairMs) {
      abandon.abort();
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  return { stop: stop.signal, abandon: abandon.signal };
}
