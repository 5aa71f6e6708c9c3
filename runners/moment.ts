import { uptime } from 'node:os';
import type { Lease } from './leases.js';
import { thisMachine } from './owner.js';

/** A moment, on this machine. */
export interface Moment {
  /** Since the epoch. */
  atMs: number;
  /** Since the machine's start, which `bootId` names: nobody sets this clock. */
  uptimeS: number;
  bootId: string;
}

export const thisMoment = (): Moment => ({
  atMs: Date.now(),
  uptimeS: uptime(),
  bootId: thisMachine().bootId,
});

/** Both clocks have to say so: the one that people read may have been set forward meanwhile. */
export function hasExpired({ madeAt, madeAtUptimeS, expiresAt, owner }: Lease, now: Moment): boolean {
  const expiresAtMs = Date.parse(expiresAt);
  if (expiresAtMs > now.atMs) return false;
  const sameBoot = owner.bootId !== '' && owner.bootId === now.bootId;
  return !sameBoot || (now.uptimeS - madeAtUptimeS) * 1000 >= expiresAtMs - Date.parse(madeAt);
}
