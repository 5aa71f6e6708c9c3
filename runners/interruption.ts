import { setMaxListeners } from 'node:events';
import type { Interruption } from './preparation.js';

/** npm passes a terminal's Ctrl-C on to a program that got it already: the second one of a pair is no second wish. */
const pairMs = 500;

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface Listening extends Interruption {
  /** From here on a signal means what it means without us. */
  end(): void;
}

/** The first SIGINT, SIGTERM or SIGHUP asks for an orderly end, a second one for an end at once. */
export function listenForInterruption(onFirst: () => void): Listening {
  const stop = new AbortController();
  const abandon = new AbortController();
  // Every suite and everything that comes up or goes down listens, as many of them as run at once.
  setMaxListeners(0, stop.signal, abandon.signal);
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
  for (const signal of signals) process.on(signal, onSignal);
  return {
    stop: stop.signal,
    abandon: abandon.signal,
    end() {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}
