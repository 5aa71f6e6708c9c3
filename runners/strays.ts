import type { ContainerEngine, Scope } from './docker.js';
import type { Stack } from './stack.js';

/**
 * Removes the containers that a killed provider, or a killed Pulumi, has made without telling the state: the stack's
 * destroy doesn't know of them, and waits in vain for the networks and volumes that they use. Doesn't reject: whoever
 * destroys a stack looks for leftovers afterwards.
 */
export async function removeStrays(
  stack: Pick<Stack, 'containers'>,
  engine: Pick<ContainerEngine, 'leftovers' | 'remove'>,
  scope: Scope,
): Promise<void> {
  try {
    const known = await stack.containers();
    const all = await engine.leftovers(scope);
    await engine.remove(all.filter(({ kind, name }) => kind === 'container' && !known.includes(name)));
  } catch {
    // The state can't be read, or the engine doesn't answer: the destroy says so.
  }
}
