import { labelKeys } from '../components/labels.js';
import type { Labelled } from './docker.js';
import type { Lease, Leases } from './leases.js';
import { hasExpired, type Moment } from './moment.js';
import { areOfOneStack, isIsoTime, stackLabelsOf, type StackLabels } from './stack-state.js';

/** A stack that nobody answers for any more. */
export interface Orphan {
  stack: string;
  runId: string;
  suite: string;
  reason: string;
  /** Its time is over: whoever prolonged it may have told only its state. */
  expired: boolean;
  /** Who answered for it; absent when only its labels or its state tell of it. */
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
  /** Nothing can be told of it from here: it is elsewhere, or in another container. */
  isUnseen: (lease: Lease) => boolean;
}

/** A stack in the backend. */
export type StackInState = { stack: string } & (
  | { /** Undefined when none of its resources has them all. */ labels: StackLabels | undefined }
  | { /** Why its state can't be read. */ problem: string }
);

/** What there is, by where it was found. */
export interface Found {
  leases: Leases;
  /** In the Docker Engine. */
  resources: readonly Labelled[];
  states: readonly StackInState[];
}

/**
 * Which stacks are orphans: those whose owner is provably dead, and those that have outlived their time. A stack
 * with an owner who is seen to live is none, however old its labels say it is, nor is one whose lease can't be read.
 */
export function planGc({ leases, resources, states }: Found, owners: OwnerCheck, now: Moment): GcPlan {
  const plan: GcPlan = { orphans: [], refused: [] };
  byLease(leases, owners, now, plan);
  // Who has a lease is judged by that alone, and by nothing when it can't be read.
  const leased = new Set([...leases.leases, ...leases.unreadable].map(({ stack }) => stack));
  const candidates: Candidates = new Map();
  byLabel(resources, leased, candidates, plan);
  byState(
    states.filter(({ stack }) => !leased.has(stack)),
    candidates,
    plan,
  );
  for (const labels of candidates.values()) {
    if (labels === undefined || Date.parse(labels.expiresAt) > now.atMs) continue;
    const { stack, run: runId, suite, expiresAt } = labels;
    plan.orphans.push({ stack, runId, suite, expired: true, reason: `it was to live until ${expiresAt}` });
  }
  return plan;
}

/** Whose each stack without a lease is; undefined when it is to be left alone. */
type Candidates = Map<string, StackLabels | undefined>;

function byLease(
  { leases, unreadable }: Leases,
  { isDead, isElsewhere, isUnseen }: OwnerCheck,
  now: Moment,
  plan: GcPlan,
): void {
  for (const { file, stack, reason } of unreadable) {
    // It may say that the stack was prolonged, or that its runner lives.
    plan.refused.push(`lease ${file}: ${reason}; nothing of ${stack} is collected while it is there`);
  }
  for (const lease of leases) {
    const { stack, runId, suite, owner, standing, expiresAt } = lease;
    const orphan = { stack, runId, suite, lease };
    if (isElsewhere(lease)) {
      plan.refused.push(`${stack}: it was made on ${owner.hostname}, which has to collect it`);
    } else if (standing && hasExpired(lease, now)) {
      plan.orphans.push({ ...orphan, expired: true, reason: `it was to live until ${expiresAt}` });
    } else if (!standing && isDead(lease)) {
      const reason = `its runner (process ${String(owner.pid)}) is dead`;
      plan.orphans.push({ ...orphan, expired: false, reason });
    } else if (!standing && isUnseen(lease)) {
      const reason = `its runner (process ${String(owner.pid)}) can't be seen from here`;
      if (hasExpired(lease, now)) {
        plan.orphans.push({
          ...orphan,
          expired: true,
          reason: `it was to live until ${expiresAt}, and ${reason}`,
        });
      } else {
        plan.refused.push(`${stack}: ${reason}, so it has time until ${expiresAt}`);
      }
    }
  }
}

/** All that the engine has of a stack carries the same labels, else two stacks have one name. */
function byLabel(
  resources: readonly Labelled[],
  leased: ReadonlySet<string>,
  candidates: Candidates,
  { refused }: GcPlan,
): void {
  for (const { kind, name, labels } of resources) {
    const own = stackLabelsOf(labels);
    const what = `${kind} ${name}`;
    if (own === undefined) {
      refused.push(`${what}: it has not all of this project's labels`);
      continue;
    }
    const { stack, expiresAt } = own;
    if (leased.has(stack)) continue;
    const others = candidates.get(stack);
    if (!isIsoTime(expiresAt)) {
      refused.push(`${what}: label ${labelKeys.expiresAt} is ${JSON.stringify(expiresAt)}, no time`);
      candidates.set(stack, undefined);
    } else if (!candidates.has(stack)) {
      candidates.set(stack, own);
    } else if (others !== undefined && !areOfOneStack(others, own)) {
      refused.push(`${what}: others of ${stack} have other labels, so there are two stacks of this name`);
      candidates.set(stack, undefined);
    }
  }
}

/** Adds what only its state tells of: the engine has nothing of it any more, or is another one. */
function byState(states: readonly StackInState[], candidates: Candidates, { refused }: GcPlan): void {
  const leaveAlone = (stack: string, reason: string): void => {
    refused.push(`stack ${stack}: ${reason}`);
    candidates.set(stack, undefined);
  };
  for (const state of states) {
    const { stack } = state;
    const labelled = candidates.get(stack);
    if ('problem' in state) {
      refused.push(`stack ${stack}: its state can't be read: ${state.problem}`);
    } else if (state.labels === undefined) {
      leaveAlone(stack, 'nothing in its state says whose it is');
    } else if (state.labels.stack !== stack) {
      leaveAlone(stack, `its state says that it is ${JSON.stringify(state.labels.stack)}`);
    } else if (!isIsoTime(state.labels.expiresAt)) {
      leaveAlone(stack, `its state has the expiry ${JSON.stringify(state.labels.expiresAt)}, no time`);
    } else if (!candidates.has(stack)) {
      candidates.set(stack, state.labels);
    } else if (labelled !== undefined && !areOfOneStack(labelled, state.labels)) {
      leaveAlone(stack, 'what the engine has of it has other labels, so there are two stacks of this name');
    }
  }
}
