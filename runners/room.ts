import { EventEmitter } from 'node:events';
import path from 'node:path';
import { underLock } from '../engine/lock.js';
import { systemClock, waitUntil, type Clock } from '../engine/wait.js';
import { occupantsOf, reasonToWait } from './admission.js';
import type { ContainerEngine } from './docker.js';
import { leasesFolder, readLeases, type Lease } from './leases.js';
import { hasExpired, thisMoment } from './moment.js';
import { isProvablyDead, isUnseen } from './owner.js';
import { joinLine, wholeLine, type Place } from './waiting-line.js';

export interface Waiting {
  signal: AbortSignal;
  /** Whether somebody waits for the environment. One that isn't needed yet stands in nobody's way. */
  isNeeded: () => boolean;
  /** Told why, and again when the reason changes. */
  onWait: (reason: string) => void;
}

/** The memory of a Docker Engine's host, which all runners of this user share. */
export interface Room {
  /**
   * Waits, first come first served, until an environment fits beside the others.
   * @param take makes others see the environment; it is called before anybody else looks.
   * @throws the signal's reason, and whatever the Docker Engine or `take` throw.
   */
  enter(stack: string, memoryMb: number, take: () => Promise<void>, waiting: Waiting): Promise<void>;
  /** Has whoever waits in this process look at once: memory has become free. */
  lookAgain(): void;
}

const intervalMs = 500;

/** @param folder has the leases and the line; all runners of this user share it. */
export function roomOf(
  engine: Pick<ContainerEngine, 'host' | 'limitsByStack'>,
  dockerHost: string,
  folder = leasesFolder(),
): Room {
  const line = path.join(folder, 'line');
  // Of a runner in another container nothing is certain, but that its time is over.
  const isOver = (lease: Lease): boolean =>
    isProvablyDead(lease.owner) || (isUnseen(lease.owner) && hasExpired(lease, thisMoment()));
  const free = new EventEmitter();
  const clock: Clock = {
    ...systemClock,
    async sleep(ms, signal) {
      const over = new AbortController();
      const any = AbortSignal.any(signal === undefined ? [over.signal] : [over.signal, signal]);
      const wakeUp = (): void => {
        over.abort();
      };
      free.once('memory', wakeUp);
      try {
        await systemClock.sleep(ms, any);
      } catch (error) {
        if (!over.signal.aborted) throw error;
      } finally {
        free.off('memory', wakeUp);
      }
    },
  };
  return {
    lookAgain() {
      free.emit('memory');
    },
    async enter(stack, memoryMb, take, { signal, isNeeded, onWait }) {
      const demand = { stack, memoryMb };
      const { memoryMb: hostMemoryMb } = await engine.host();
      let place: Place | undefined;
      let told: string | undefined;
      /** When the last look began: what it saw is nobody's reason to wait if nobody waited yet. */
      let wasNeeded = false;
      const attempt = async (): Promise<string | undefined> => {
        wasNeeded = isNeeded();
        if (wasNeeded) place ??= await joinLine(line, demand, dockerHost);
        const standing = await engine.limitsByStack();
        return underLock({ folder, name: 'room' }, async () => {
          const all = occupantsOf(await readLeases(folder), standing, dockerHost, isOver);
          const occupants = all.filter((other) => other.stack !== stack);
          const earlier = await (place?.earlier() ?? wholeLine(line, dockerHost));
          const reason = reasonToWait(demand, hostMemoryMb, occupants, earlier);
          if (reason === undefined) await take();
          return reason;
        });
      };
      const isIn = (reason: string | undefined): boolean => {
        if (reason !== undefined && reason !== told && wasNeeded) onWait((told = reason));
        return reason === undefined;
      };
      try {
        const what = `memory for ${stack}`;
        await waitUntil(attempt, isIn, {
          what,
          deadlineMs: Number.POSITIVE_INFINITY,
          intervalMs,
          clock,
          signal,
        });
      } finally {
        await place?.leave();
      }
    },
  };
}
