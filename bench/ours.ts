import type Docker from 'dockerode';
import { labelKeys } from '../components/labels.js';
import { configNamespace } from '../components/config.js';
import type { Outputs } from '../components/outputs.js';
import { serviceNames, type ServiceName } from '../components/services.js';
import type { Scope } from '../runners/docker.js';
import { pulumiCommand } from '../runners/pulumi.js';
import type { Stack } from '../runners/stack.js';
import { removeStrays } from '../runners/strays.js';
import { untilReady } from './probes.js';
import type { Site } from './site.js';
import type { Place, Way } from './way.js';

const upTimeoutMs = 5 * 60_000;
const downTimeoutMs = 2 * 60_000;

/** Names of what is known of an `up` beside the whole. */
export const partsOfUp = { create: 'createMs', up: 'upMs', ready: 'servicesReadyMs' } as const;

export interface OwnPlace extends Place {
  /** Once it is up. */
  outputs(): Outputs;
  /** What `pulumi stack export` prints. */
  exported(): Promise<string>;
  /** Another `up`, which changes nothing. */
  again(signal: AbortSignal): Promise<Outputs>;
}

/** As a run does it: a stack made, brought up, destroyed and its leftovers looked for. */
export function ownWay(site: Site): Way<OwnPlace> {
  return {
    kind: 'ours',
    name: 'ours',
    prepare: ({ name, scope, profile, folder }) => {
      let stack: Stack | undefined;
      let outputs: Outputs | undefined;
      const known = <T>(value: T | undefined): T => {
        if (value === undefined) throw new Error(`stack ${name} is not up`);
        return value;
      };
      const onLine = (): void => undefined;
      const up = async (signal: AbortSignal): Promise<Outputs> => {
        outputs = await known(stack).up({ timeoutMs: upTimeoutMs, signal, onLine });
        return outputs;
      };
      const settings = {
        config: {
          [`${configNamespace}:profile`]: profile,
          [`${configNamespace}:run`]: { id: scope.runId, suite: scope.suite, ...site.labels },
        },
      };
      return Promise.resolve({
        async up(signal) {
          const watch = await watchReadiness(site.docker, scope, signal);
          try {
            const startedMs = performance.now();
            stack = await site.stacks.create({ name, folder, settings });
            const createdMs = performance.now();
            await up(signal);
            const upMs = performance.now();
            const readyMs = await watch.ready;
            return {
              [partsOfUp.create]: createdMs - startedMs,
              [partsOfUp.up]: upMs - createdMs,
              [partsOfUp.ready]: readyMs - startedMs,
            };
          } finally {
            watch.end();
          }
        },
        async down() {
          if (stack === undefined) return;
          if (outputs === undefined) await removeStrays(stack, site.engine, scope);
          const killed = site.engine.kill(scope);
          await stack.destroy({ timeoutMs: downTimeoutMs, onLine });
          await killed;
          const left = await site.engine.leftovers(scope);
          if (left.length > 0) throw new Error(`left over: ${left.map((one) => one.name).join(', ')}`);
        },
        outputs: () => known(outputs),
        exported: () => pulumiCommand(site.pulumi, site.env)(['stack', 'export', '--stack', name], folder),
        again: up,
      });
    },
  };
}

/** When all services answer, seen from outside as the floor sees it: its own probes, from each container's start. */
async function watchReadiness(
  docker: Docker,
  { runId, suite }: Scope,
  signal: AbortSignal,
): Promise<{ ready: Promise<number>; end: () => void }> {
  const over = new AbortController();
  const ended = AbortSignal.any([signal, over.signal]);
  const label = [`${labelKeys.run}=${runId}`, `${labelKeys.suite}=${suite}`];
  const events = (await docker.getEvents({
    filters: { type: ['container'], event: ['start'], label },
    abortSignal: over.signal,
  })) as NodeJS.ReadableStream & AsyncIterable<Buffer>;
  const watch = async (): Promise<number> => {
    const asked: Promise<void>[] = [];
    for await (const chunk of events) {
      for (const line of chunk.toString().trimEnd().split('\n')) {
        const { id } = JSON.parse(line) as { id: string };
        asked.push(askContainer(docker, id, ended));
      }
      if (asked.length === serviceNames.length) break;
    }
    await Promise.all(asked);
    return performance.now();
  };
  const ready = watch();
  // Whoever fails to bring it up says so himself.
  ready.catch(() => undefined);
  return {
    ready,
    end: () => {
      over.abort();
    },
  };
}

async function askContainer(docker: Docker, id: string, signal: AbortSignal): Promise<void> {
  const { Config, NetworkSettings } = await docker.getContainer(id).inspect();
  const published = Object.values(NetworkSettings.Ports).find((bindings) => bindings.length > 0)?.[0];
  const service = Config.Labels[labelKeys.service] as ServiceName;
  await untilReady({ service, port: Number(published?.HostPort), environment: Config.Env }, signal);
}
