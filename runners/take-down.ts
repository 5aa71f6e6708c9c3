import { rm } from 'node:fs/promises';
import path from 'node:path';
import { connectDocker } from '../engine/docker.js';
import type { Progress } from '../engine/progress.js';
import { setUp } from '../engine/setup.js';
import { tunnelFolderOfStack } from '../engine/ssh/target.js';
import type { Place } from './cloud.js';
import { dockerEngine, type Labelled } from './docker.js';
import { messageOf } from './errors.js';
import { exitCodes } from './exit-codes.js';
import { lockHoldersOf, stateFileOf } from './file-backend.js';
import { placeOfStack } from './hosts/engine-at.js';
import { leaveHost } from './hosts/users.js';
import { listenForInterruption } from './interruption.js';
import { backendOf } from './lease-book.js';
import { removeLease } from './leases.js';
import { assertIsOneOf, isStackOf, slugOf } from './names.js';
import { environmentFileName, runsFolder } from './plan.js';
import type { Leftover } from './report/record.js';
import { restoreSettings } from './settings-before.js';
import { standingStacks, type StandingStacks } from './stack.js';
import { areOfOneStack, stackLabelsOf, type StackLabels } from './stack-state.js';
import { removeStrays } from './strays.js';

/** Which stacks: one by its name, or all of a branch. */
export type DownChoice = { stack: string } | { branch: string };

const destroyTimeoutMs = 5 * 60_000;

/**
 * Destroys stacks, whoever made them and whether or not their folders are still there.
 * @returns the exit code.
 * @throws ConfigError when there is no such stack, or the set-up's error: nothing was destroyed then.
 */
export async function takeDown(choice: DownChoice, checkout: string, progress: Progress): Promise<number> {
  const environment = await setUp({ progress, images: false, browser: false, installDocker: false });
  const local = dockerEngine(connectDocker(environment.dockerHost));
  const stacks = standingStacks(environment, checkout);
  const backend = backendOf({ ...process.env, ...environment.env });
  const names = await chooseStacks(choice, stacks);
  if (names.length === 0) progress.note('There is no stack of this branch.');
  const { stop } = listenForInterruption(() => {
    progress.note('Interrupted: Pulumi ends what it has begun.');
  });
  let failed = false;
  for (const name of names) {
    if (stop.aborted) return exitCodes.interrupted;
    const step = progress.step(`stack ${name}`);
    const onLine = (line: string): void => {
      step.update(line);
    };
    try {
      const engine = await placeOfStack(stacks, name, local);
      await destroyOne({ name, backend, stacks, engine, checkout, signal: stop, onLine });
      const note = await restoreSettings(checkout, name);
      if (note !== undefined) progress.note(note);
      await removeLease({ stack: name, backend });
      // Of a host that went with the stack.
      await leaveHost(tunnelFolderOfStack(name, backend));
      step.done('destroyed');
    } catch (error) {
      failed = true;
      step.fail(messageOf(error));
    }
  }
  if (stop.aborted) return exitCodes.interrupted;
  return failed ? exitCodes.leak : exitCodes.go;
}

async function chooseStacks(choice: DownChoice, stacks: StandingStacks): Promise<string[]> {
  const all = await stacks.names();
  if ('stack' in choice) {
    assertIsOneOf(all, choice.stack);
    return [choice.stack];
  }
  const slug = slugOf(choice.branch);
  return all.filter((name) => name === slug || isStackOf(slug, name));
}

const isOf = (own: StackLabels, { labels }: Labelled): boolean => {
  const others = stackLabelsOf(labels);
  return others !== undefined && areOfOneStack(own, others);
};

/** As far as its lock tells, which only a backend of files does. */
async function isNobodyAtWork(backend: string, stack: string): Promise<boolean> {
  if (stateFileOf(backend, stack) === undefined) return false;
  const { alive, unknown } = await lockHoldersOf(backend, stack);
  return alive.length === 0 && unknown === 0;
}

interface Removal {
  name: string;
  backend: string;
  stacks: StandingStacks;
  engine: Place;
  checkout: string;
  signal: AbortSignal;
  onLine: (line: string) => void;
}

async function destroyOne({
  name,
  backend,
  stacks,
  engine,
  checkout,
  signal,
  onLine,
}: Removal): Promise<void> {
  const labels = await stacks.labelsOf(name);
  const folder = path.join(checkout, '.rehearsal', 'down', name);
  const stack = await stacks.adopt({ name, folder, lockIsDead: false });
  if (labels !== undefined && (await isNobodyAtWork(backend, name))) {
    // Of this very stack: one of the same name in another state has another expiry.
    const leftovers = async (): Promise<Leftover[]> =>
      (await engine.everything()).filter((resource) => isOf(labels, resource));
    const remove: Place['remove'] = (strays) => engine.remove(strays);
    await removeStrays(stack, { leftovers, remove }, { runId: labels.run, suite: labels.suite });
  }
  await stack.destroy({ timeoutMs: destroyTimeoutMs, signal, onLine });
  await rm(folder, { recursive: true });
  if (labels === undefined) return;
  const { run, suite } = labels;
  await rm(path.join(checkout, runsFolder, run, suite, environmentFileName), { force: true });
  const leftovers = await engine.leftovers({ runId: run, suite });
  if (leftovers.length === 0) return;
  throw new Error(`left over: ${leftovers.map(({ kind, name: left }) => `${kind} ${left}`).join(', ')}`);
}
