import { z } from 'zod';
import { labelKeys } from '../components/labels.js';
import type { Labelled } from './docker.js';
import { stackOf, type Lease, type Leases } from './leases.js';

/** A stack that nobody answers for any more. */
export interface Orphan {
  stack: string;
  runId: string;
  suite: string;
  reason: string;
  /** Who answered for it; absent when only labels tell of it. */
  lease?: Lease;
}

export interface GcPlan {
  orphans: Orphan[];
  /** What may be an orphan, but can't be read: left alone, in words. */
  refused: string[];
}

/** What can be told of the process that made a stack. */
export interface OwnerCheck {
  isDead: (lease: Lease) => boolean;
  /** On another machine: nothing can be told of it, and its Docker Engine isn't ours. */
  isElsewhere: (lease: Lease) => boolean;
}

/** This moment, on this machine. */
export interface Moment {
  /** Since the epoch. */
  atMs: number;
  /** Since the machine's start, which `bootId` names: nobody sets this clock. */
  uptimeS: number;
  bootId: string;
}

/**
 * Which stacks are orphans: those whose owner is provably dead, and those that have outlived their time. A stack
 * with a living owner is none, however old its labels say it is, nor is one whose lease can't be read.
 */
export function planGc(
  { leases, unreadable }: Leases,
  resources: readonly Labelled[],
  { isDead, isElsewhere }: OwnerCheck,
  now: Moment,
): GcPlan {
  const plan: GcPlan = {
    orphans: [],
    refused: unreadable.map(({ file, reason }) => `lease ${file}: ${reason}`),
  };
  for (const lease of leases) {
    const { stack, runId, suite, owner, standing, expiresAt } = lease;
    const orphan = { stack, runId, suite, lease };
    if (isElsewhere(lease)) {
      plan.refused.push(`${stack}: it was made on ${owner.hostname}, which has to collect it`);
    } else if (standing && hasExpired(lease, now)) {
      plan.orphans.push({ ...orphan, reason: `it was to live until ${expiresAt}` });
    } else if (!standing && isDead(lease)) {
      plan.orphans.push({ ...orphan, reason: `its runner (process ${String(owner.pid)}) is dead` });
    }
  }
  const leased = new Set(leases.map(({ stack }) => stack));
  const unread = new Map(unreadable.map(({ file }) => [stackOf(file), file]));
  const seen = new Set<string>();
  for (const resource of resources) {
    const { [labelKeys.stack]: stack, [labelKeys.run]: runId, [labelKeys.suite]: suite } = resource.labels;
    const expiresAt = resource.labels[labelKeys.expiresAt];
    const what = `${resource.kind} ${resource.name}`;
    if (stack === undefined || runId === undefined || suite === undefined || expiresAt === undefined) {
      plan.refused.push(`${what}: it has not all of this project's labels`);
      continue;
    }
    if (leased.has(stack)) continue;
    const expiresAtMs = Date.parse(expiresAt);
    if (!isIsoTime(expiresAt)) {
      plan.refused.push(`${what}: label ${labelKeys.expiresAt} is ${JSON.stringify(expiresAt)}, no time`);
    } else if (expiresAtMs <= now.atMs && !seen.has(stack)) {
      seen.add(stack);
      const file = unread.get(stack);
      if (file !== undefined) {
        // It may say that the stack was prolonged, or that its runner lives.
        plan.refused.push(
          `${stack}: its labels say until ${expiresAt}, but its lease can't be read; to have it collected, remove ${file}`,
        );
      } else {
        plan.orphans.push({ stack, runId, suite, reason: `it was to live until ${expiresAt}` });
      }
    }
  }
  return plan;
}

/** Both clocks have to say so: the one that people read may have been set forward meanwhile. */
function hasExpired({ madeAt, madeAtUptimeS, expiresAt, owner }: Lease, now: Moment): boolean {
  const expiresAtMs = Date.parse(expiresAt);
  if (expiresAtMs > now.atMs) return false;
  const sameBoot = owner.bootId !== '' && owner.bootId === now.bootId;
  return !sameBoot || (now.uptimeS - madeAtUptimeS) * 1000 >= expiresAtMs - Date.parse(madeAt);
}

/** `Date.parse` takes a lot for a time that nobody means as one. */
const isIsoTime = (text: string): boolean => z.iso.datetime().safeParse(text).success;
