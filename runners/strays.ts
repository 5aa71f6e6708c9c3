import type { Place } from './cloud.js';
import type { Scope } from './docker.js';
import type { Leftover } from './report/record.js';
import type { Stack } from './stack.js';

/**
 * Removes the containers and instances that a killed provider, or a killed Pulumi, has made without telling the state:
 * the stack's destroy doesn't know of them, and waits in vain for the networks, volumes and security groups that they use. Doesn't reject: whoever
 * destroys a stack looks for leftovers afterwards.
 */
export async function removeStrays(
  stack: Pick<Stack, 'holders'>,
  engine: Pick<Place, 'leftovers' | 'remove'>,
  scope: Scope,
): Promise<void> {
  try {
    const known = await stack.holders();
    const all = await engine.leftovers(scope);
    await engine.remove(all.filter((leftover) => isHolder(leftover) && !known.includes(idOf(leftover))));
  } catch {
    // The state can't be read, or the engine doesn't answer: the destroy says so.
  }
}

const isHolder = ({ kind }: Leftover): boolean => kind === 'container' || kind === 'instance';

/** AWS's resources have their region before it. */
const idOf = ({ name }: Leftover): string => name.slice(name.lastIndexOf('/') + 1);
