import type Docker from 'dockerode';
import { textOfFrames } from '../container-log.js';
import { waitUntil } from '../wait.js';
import { createOptions, updateOptions } from './container-config.js';
import { containerInputs, containerOutputs, type ContainerInputs } from './container-inputs.js';
import { containerState } from './container-state.js';
import { diffInputs, newState } from './diff.js';
import { failure, isConflict, isNotFound, isNotModified, reasonOf } from './errors.js';
import { findOrPull } from './remote-image.js';
import { timeoutsMeta, type Context, type ResourceState, type ResourceType } from './resource.js';
import { typed } from './schema.js';
import type { Values } from './values.js';

const healthIntervalMs = 100;
/** Log lines quoted when a container dies before it is healthy. */
const quotedLines = 20;

/** The changes that the engine applies to a container that runs. */
const updatable = [
  'restart',
  'maxRetryCount',
  'cpuShares',
  'memory',
  'memoryReservation',
  'cpuSet',
  'memorySwap',
];
/** The changes that only a new container could apply, but that the official provider only writes down. */
const recordedOnly = ['healthcheck', 'init', 'rm', 'tmpfs'];

export const container: ResourceType = {
  inputs: containerInputs,
  outputs: containerOutputs,
  autonamed: true,
  deleteBeforeReplace: true,
  meta: { ...timeoutsMeta, schema_version: '2' },
  create,
  read,
  update,
  remove,
};

async function create(context: Context, values: Values): Promise<ResourceState> {
  const inputs = typed(containerInputs, values);
  const { docker, signal } = context;
  const secrets = inputs.envs ?? [];
  const what = `container ${inputs.name} can't be`;
  await findOrPull(context, inputs.image);
  // Whoever cancelled doesn't wait for an engine that is slow to answer for ever.
  if (signal.aborted) throw failure(`${what} created`, signal.reason, secrets);
  const made = await docker.createContainer(createOptions(inputs)).catch((cause: unknown) => {
    throw failure(`${what} created`, cause, secrets);
  });
  try {
    await connectNetworks(docker, made.id, inputs);
    signal.throwIfAborted();
    if (inputs.start) await made.start();
    if (inputs.start && inputs.wait) await waitForHealth(made, inputs, signal);
    const containerLogs = inputs.attach ? await attach(made, inputs, signal) : null;
    const known: Values = { ...newState(containerInputs, values, false), exitCode: null, containerLogs };
    // Capabilities stay as the program writes them until a refresh: the engine has them in a long form.
    const state = {
      ...containerState(await made.inspect(), known),
      capabilities: known.capabilities ?? null,
    };
    return { id: made.id, state };
  } catch (cause) {
    const error = failure(`${what} started`, cause, secrets);
    await discard(made, error);
    throw error;
  }
}

/** Removes a container that failed to start. What goes wrong here is added to the error that matters. */
async function discard(made: Docker.Container, error: Error): Promise<void> {
  try {
    await made.remove({ force: true, v: true });
  } catch (cause) {
    if (!isNotFound(cause)) error.message += ` (and it could not be removed: ${reasonOf(cause)})`;
  }
}

async function connectNetworks(docker: Docker, id: string, inputs: ContainerInputs): Promise<void> {
  if (inputs.networksAdvanced === undefined || inputs.networksAdvanced.length === 0) return;
  if (['bridge', 'default'].includes(inputs.networkMode))
    await docker.getNetwork('bridge').disconnect({ Container: id });
  for (const { name, aliases, ipv4Address } of inputs.networksAdvanced) {
    await docker.getNetwork(name).connect({
      Container: id,
      EndpointConfig: { Aliases: aliases, IPAMConfig: { IPv4Address: ipv4Address }, DriverOpts: {} },
    });
  }
}

async function waitForHealth(
  made: Docker.Container,
  inputs: ContainerInputs,
  signal: AbortSignal,
): Promise<void> {
  const { State: last } = await waitUntil(
    () => made.inspect(),
    ({ State }) => !State.Running || State.Health === undefined || State.Health.Status !== 'starting',
    {
      what: 'its health check succeeds',
      deadlineMs: inputs.waitTimeout * 1000,
      intervalMs: healthIntervalMs,
      signal,
    },
  );
  if (last.Health?.Status === 'healthy') return;
  if (last.Running && last.Health === undefined) {
    throw new Error('"wait" needs a health check: set "healthcheck", or leave "wait" out');
  }
  const probe = last.Health?.Log.at(-1)?.Output.trim() ?? '';
  const fact = last.Running
    ? `its health check failed (${probe})`
    : `it ended with exit code ${last.ExitCode}`;
  throw new Error(`${fact}. Its last output:\n${await logsOf(made, quotedLines)}`);
}

/** Waits for the container's end. @returns what it wrote, if that is asked for. */
async function attach(
  made: Docker.Container,
  { logs }: ContainerInputs,
  signal: AbortSignal,
): Promise<string | null> {
  await made.wait({ abortSignal: signal });
  return logs ? logsOf(made) : null;
}

async function logsOf(made: Docker.Container, lines?: number): Promise<string> {
  const frames = await made.logs({ stdout: true, stderr: true, tail: lines });
  return textOfFrames(frames);
}

async function read({ docker }: Context, id: string, state: Values): Promise<ResourceState | undefined> {
  try {
    return { id, state: containerState(await docker.getContainer(id).inspect(), state) };
  } catch (cause) {
    if (isNotFound(cause)) return undefined;
    throw failure(`container ${id} can't be read`, cause);
  }
}

async function update({ docker, warn }: Context, id: string, state: Values, values: Values): Promise<void> {
  const inputs = typed(containerInputs, values);
  const running = docker.getContainer(id);
  const changes = diffInputs(containerInputs, state, values);
  try {
    if (changes.has('mustRun') && inputs.mustRun && inputs.start) await running.start();
    if (updatable.some((name) => changes.has(name))) await running.update(updateOptions(inputs));
  } catch (cause) {
    throw failure(`container ${inputs.name} can't be updated`, cause);
  }
  const recorded = recordedOnly.filter((name) => changes.has(name));
  if (recorded.length > 0) {
    await warn(
      `container ${inputs.name}: ${recorded.join(', ')} can't change while it exists, and like the official ` +
        'provider this one only records the new value. To apply it, replace the container: ' +
        'replaceOnChanges in its resource options, or pulumi up --target-replace',
    );
  }
}

async function remove({ docker }: Context, id: string, state: Values): Promise<void> {
  const doomed = docker.getContainer(id);
  const graceSeconds = Number(state.destroyGraceSeconds ?? 0);
  try {
    // Without a period of grace, removal by force kills at once.
    if (graceSeconds > 0 && state.attach !== true)
      await doomed.stop({ t: graceSeconds }).catch(ignoreStopped);
    await doomed.remove({ force: true, v: state.removeVolumes === true });
  } catch (cause) {
    // 409: somebody else, or the container's own "rm", is removing it.
    if (isConflict(cause)) await doomed.wait({ condition: 'removed' }).catch(ignoreGone);
    else if (!isNotFound(cause)) throw failure(`container ${id} can't be removed`, cause);
  }
}

/** It has stopped already, or is gone: the removal that follows finds out. */
function ignoreStopped(error: unknown): void {
  if (!isNotModified(error) && !isNotFound(error)) throw error;
}

function ignoreGone(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
