import { messageOf } from './errors.js';
import type { GcPlan, Orphan, StackInState } from './gc-plan.js';
import type { Moment } from './moment.js';
import type { Leases } from './leases.js';
import { StackError } from './pulumi.js';
import type { StandingStacks } from './stack.js';

/**
 * What the backend has besides the stacks with a lease.
 * @returns also why it can't be asked, if it can't: leases and labels still count then.
 */
export async function readStates(
  stacks: Pick<StandingStacks, 'names' | 'labelsOf'>,
  { leases, unreadable }: Leases,
): Promise<{ states: StackInState[]; problems: string[] }> {
  let names: string[];
  try {
    names = await stacks.names();
  } catch (error) {
    return { states: [], problems: [`what only the backend knows of: ${messageOf(error)}`] };
  }
  const leased = new Set([...leases, ...unreadable].map(({ stack }) => stack));
  const states: StackInState[] = [];
  for (const stack of names.filter((name) => !leased.has(name))) {
    states.push(
      await stacks.labelsOf(stack).then(
        (labels) => ({ stack, labels }),
        (error: unknown) => ({ stack, problem: messageOf(error) }),
      ),
    );
  }
  return { states, problems: [] };
}

/**
 * Takes out of a plan what was prolonged: an extension lives with the stack's state, and wins over what its labels
 * and an old lease say. Where the state can't be asked, those are all there is.
 */
export async function withoutProlonged(
  { orphans, refused }: GcPlan,
  { atMs }: Moment,
  extensionOf: (orphan: Orphan) => Promise<string | undefined>,
): Promise<GcPlan> {
  const plan: GcPlan = { orphans: [], refused: [...refused] };
  for (const orphan of orphans) {
    const { stack } = orphan;
    try {
      const until = orphan.expired ? await extensionOf(orphan) : undefined;
      if (until === undefined || Date.parse(until) <= atMs) plan.orphans.push(orphan);
      else plan.refused.push(`${stack}: it was prolonged until ${until}`);
    } catch (error) {
      if (error instanceof StackError) plan.orphans.push(orphan);
      else plan.refused.push(`${stack}: ${messageOf(error)}`);
    }
  }
  return plan;
}
