import type { ContainerEngine } from './docker.js';
import { killProcessesOf } from './processes.js';
import { StackLockedError } from './pulumi.js';
import type { StandingStacks } from './stack.js';

const markName = 'REHEARSAL_RUN';

/** For the environment of every program that a run starts, so that they are found when the runner is dead. */
export const markOf = (runId: string): Record<string, string> => ({ [markName]: runId });

export type StacksToTakeOver = Pick<StandingStacks, 'names' | 'adopt'>;

export interface TakeOverContext {
  stacks: StacksToTakeOver;
  engine: ContainerEngine;
  /** Takes the log of the destroy. */
  folder: string;
  onLine: (line: string) => void;
}

const destroyTimeoutMs = 5 * 60_000;

/**
 * Ends what an owner began who is dead or has outlived his time: his programs, his lock, his stack, and what was
 * made without getting into the stack's state, or whose state is lost.
 * @throws Error that names what is left, or why the state still has the stack.
 */
export async function takeOver(
  { stack, runId, suite }: { stack: string; runId: string; suite: string },
  { stacks, engine, folder, onLine }: TakeOverContext,
): Promise<void> {
  await killProcessesOf({ mark: `${markName}=${runId}` });
  const failure = await destroyByState(stack, stacks, folder, onLine).then(
    () => undefined,
    (error: unknown) => error,
  );
  // What somebody is at work on isn't taken from under his hands.
  if (failure instanceof StackLockedError) throw failure;
  const scope = { runId, suite };
  await engine.remove(await engine.leftovers(scope));
  const left = await engine.leftovers(scope);
  if (left.length > 0) {
    const names = left.map(({ kind, name }) => `${kind} ${name}`).join(', ');
    throw new Error(`left over: ${names}`, { cause: failure });
  }
  if (failure !== undefined) throw new Error('removed by its labels; its state stays', { cause: failure });
}

async function destroyByState(
  name: string,
  stacks: StacksToTakeOver,
  folder: string,
  onLine: (line: string) => void,
): Promise<void> {
  if (!(await stacks.names()).includes(name)) return;
  const stack = await stacks.adopt({ name, folder, lockIsDead: true });
  await stack.destroy({ timeoutMs: destroyTimeoutMs, onLine });
}
