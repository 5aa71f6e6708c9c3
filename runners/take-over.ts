import type { Place } from './cloud.js';
import type { Scope } from './docker.js';
import { isGone } from './file-backend.js';
import { killProcessesOf } from './processes.js';
import { StackLockedError } from './pulumi.js';
import type { StandingStacks } from './stack.js';
import { restoreState } from './state-backup.js';
import { removeStrays } from './strays.js';

const markName = 'REHEARSAL_RUN';

/** For the environment of every program that a run starts, so that they are found when the runner is dead. */
export const markOf = (runId: string): Record<string, string> => ({ [markName]: runId });

export interface TakeOverContext {
  stacks: Pick<StandingStacks, 'names' | 'adopt'>;
  engine: Place;
  /** Regions of AWS that may have something of it besides. */
  clouds: readonly Place[];
  /** Takes the log of the destroy. */
  folder: string;
  onLine: (line: string) => void;
}

const destroyTimeoutMs = 5 * 60_000;

/** What somebody left. */
interface Legacy {
  stack: string;
  runId: string;
  suite: string;
  /** Where its state is, as far as a lease says so. */
  backend?: string | undefined;
}

/**
 * Ends what an owner began who is dead or has outlived his time: his programs, his lock, his stack, and what was
 * made without getting into the stack's state, or whose state is lost.
 * @throws Error that names what is left, or why the state still has the stack.
 */
export async function takeOver(
  { stack, runId, suite, backend }: Legacy,
  { stacks, engine, clouds, folder, onLine }: TakeOverContext,
): Promise<void> {
  await killProcessesOf({ mark: `${markName}=${runId}` });
  await restoreState(backend, stack);
  const scope = { runId, suite };
  // A state whose folder is gone comes back no more: to wait for it would be to complain for ever.
  const failure =
    backend !== undefined && isGone(backend)
      ? undefined
      : await destroyByState(stack, scope, { stacks, engine, folder, onLine }).then(
          () => undefined,
          (error: unknown) => error,
        );
  // What somebody is at work on isn't taken from under his hands.
  if (failure instanceof StackLockedError) throw failure;
  const places = [engine, ...clouds];
  for (const place of places) await place.remove(await place.leftovers(scope));
  const left = (await Promise.all(places.map((place) => place.leftovers(scope)))).flat();
  if (left.length > 0) {
    const names = left.map(({ kind, name }) => `${kind} ${name}`).join(', ');
    throw new Error(`left over: ${names}`, { cause: failure });
  }
  if (failure !== undefined) throw new Error('removed by its labels; its state stays', { cause: failure });
}

async function destroyByState(
  name: string,
  scope: Scope,
  { stacks, engine, folder, onLine }: Omit<TakeOverContext, 'clouds'>,
): Promise<void> {
  if (!(await stacks.names()).includes(name)) return;
  const stack = await stacks.adopt({ name, folder, lockIsDead: true });
  await removeStrays(stack, engine, scope);
  await stack.destroy({ timeoutMs: destroyTimeoutMs, onLine });
}
