import { get } from 'node:http';
import { files } from '../../engine/ssh/client.js';
import { answers, ensureTunnel, isConnected, openingOf, probe } from '../../engine/ssh/tunnel.js';
import { describeTarget, type SshTarget } from '../../engine/ssh/target.js';
import { awaitTunnel } from '../../engine/ssh/await.js';
import { systemClock, waitUntil } from '../../engine/wait.js';

/** The connection to a host, kept up for as long as a command needs it. */
export interface Connection {
  /**
   * Waits until the host's Docker Engine answers, again if need be.
   * @throws TunnelError
   */
  ready(): Promise<void>;
  /** Tells of each cut as it is seen. @returns what ends the telling. */
  onCut(listener: (cut: Error) => void): () => void;
  /** Finds out whether the connection was cut without anybody having seen it yet. */
  verify(): Promise<void>;
  /** It may end. Others may use it still. */
  release(): void;
}

const pauseMs = 250;
/** An engine that has ended doesn't come back by itself. */
const passing = ['unreachable', 'refused', 'no ssh server', 'deadline'] as const;
/** How long after a cut a host may take to be there again. */
const returnDeadlineMs = 30_000;
/** A bit longer than a dead connection takes to be found dead. */
const verifyDeadlineMs = 15_000;
/** A process that is ending closes its sockets first. */
const endingMs = 100;

/** Watches the connection by a question that the host's engine never answers, and opens it anew after a cut. */
export function keepConnection(folder: string, target: SshTarget): Connection {
  const released = new AbortController();
  const { signal } = released;
  const listeners = new Set<(cut: Error) => void>();
  let cuts = 0;
  /** When nobody answered any more, by the clock that only ever ticks. */
  let lostMs = -Infinity;

  const openAgain = async (): Promise<void> => {
    while (!signal.aborted && !(await answers(folder))) {
      // What is wrong is told to who needs the host, not to who only watches it.
      if (!(await isConnected(folder))) await ensureTunnel(folder, target, { signal }).catch(() => undefined);
      await systemClock.sleep(pauseMs, signal).catch(() => undefined);
    }
  };
  const judge = async (opened: string | undefined): Promise<void> => {
    await systemClock.sleep(endingMs);
    // It may be the engine alone that has ended, and somebody else may have opened the connection anew by now.
    if ((await openingOf(folder)) === opened && (await isConnected(folder))) return;
    cuts += 1;
    const seenAt = new Date().toISOString();
    const cut = new Error(`the connection to ${describeTarget(target)} was cut (seen at ${seenAt})`);
    for (const tell of listeners) tell(cut);
  };
  let judged: Promise<void> = Promise.resolve();
  const isOver = (): boolean => signal.aborted;
  const watch = async (): Promise<void> => {
    while (!isOver()) {
      const opened = await openingOf(folder);
      await endOfStream(folder, signal);
      if (isOver()) return;
      lostMs = systemClock.now();
      judged = judge(opened);
      await judged;
      await openAgain();
    }
  };
  void watch();

  return {
    ready() {
      // Who comes later doesn't wait again for a host that didn't come back.
      const deadlineMs = Math.max(0, returnDeadlineMs - (systemClock.now() - lostMs));
      return awaitTunnel(folder, target, { passing, deadlineMs });
    },
    onCut(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async verify() {
      const before = cuts;
      const wait = { what: describeTarget(target), deadlineMs: verifyDeadlineMs, intervalMs: pauseMs };
      // A refusal through a connection that stands is the engine's.
      const isClear = async (): Promise<boolean> => {
        const found = cuts > before ? 'answers' : await probe(folder);
        return found === 'answers' || (found === 'refuses' && (await isConnected(folder)));
      };
      await waitUntil(isClear, Boolean, wait).catch(() => undefined);
      await judged;
    },
    release() {
      released.abort();
    },
  };
}

/** Of one that would never end by itself: there are no such events. */
function endOfStream(folder: string, signal: AbortSignal): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ type: ['daemon'], event: ['none'] }));
  const { socket: socketPath } = files(folder);
  return new Promise((resolve) => {
    const request = get({ socketPath, path: `/events?filters=${filters}`, signal });
    request.on('response', (response) => {
      response.resume().on('close', resolve).on('error', resolve);
    });
    request.on('error', () => resolve());
  });
}
