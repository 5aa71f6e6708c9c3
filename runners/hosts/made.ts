import path from 'node:path';
import type { Outputs } from '../../components/outputs.js';
import { forwardPort } from '../../engine/ssh/forwards.js';
import { dockerHostOfTunnel, readTarget, tunnelFolderOfStack } from '../../engine/ssh/target.js';
import { answers, closeTunnel } from '../../engine/ssh/tunnel.js';
import { systemClock, waitUntil } from '../../engine/wait.js';
import type { Cloud } from '../cloud.js';
import type { AwsPlan } from '../cost.js';
import { withDeadline } from '../deadline.js';
import type { ContainerEngine, Scope } from '../docker.js';
import type { Leftover, RunRecord } from '../report/record.js';
import { keepConnection, type Connection } from './connection.js';
import type { RunHost } from './host.js';
import { lateWatch } from './late-watch.js';
import { reachable } from './reach.js';
import { engineBehind, suitesBehind } from './remote.js';
import { leaveHost } from './users.js';

interface MadeHosts {
  aws: AwsPlan;
  cloud: Cloud;
  /** Where the state is, as the Pulumi CLI is told it. */
  backend: string;
  /** The stack's name. */
  stackOf: (scope: Scope) => string;
}

/** The way to the Docker Engine of a stack that is up, or is coming up. */
interface Way {
  folder: string;
  connection: Connection;
  engine: ContainerEngine;
}

/** A stack's own host, as far as it is there. */
interface Made {
  stack: string;
  /** Of the suite. */
  folder?: string;
  /** Ends the waiting for it. */
  over: AbortController;
  /** Undefined when it never came. */
  way: Promise<Way | undefined>;
  /** Nothing of it should be left. */
  destroyed: boolean;
}

const intervalMs = 200;
/** Of a host that a stack's program has just used. */
const presenceDeadlineMs = 30_000;
/** AWS's lists may have what is gone a little longer. */
const listDeadlineMs = 20_000;

/** A host for each stack, made by its `up` and gone with its `destroy`. */
export function madeHosts({ aws, cloud, backend, stackOf }: MadeHosts): RunHost {
  const all = new Map<string, Made>();
  const byWatch = new WeakMap<object, Made>();
  const where = `an EC2 instance ${aws.type.name} in ${aws.region} for each environment`;
  let known: Omit<RunRecord['host'], 'node'> = {
    where,
    ...{ engineVersion: 'unknown', operatingSystem: 'unknown', kernel: 'unknown', cgroupVersion: 'unknown' },
    cpus: aws.type.vcpus,
    memoryMb: aws.type.memoryMb,
  };

  const madeOf = (stack: string): Made => {
    const found = all.get(stack);
    if (found !== undefined) return found;
    const over = new AbortController();
    const way = wayTo(tunnelFolderOfStack(stack, backend), where, over.signal).then(async (opened) => {
      // What it really has is for the report.
      known = (await opened?.engine.host().catch(() => undefined)) ?? known;
      return opened;
    });
    const made: Made = { stack, over, way, destroyed: false };
    all.set(stack, made);
    return made;
  };
  const engineOf = async (made: Made): Promise<ContainerEngine> => {
    const way = await made.way;
    if (way === undefined) throw new Error(`the host of ${made.stack} is not there`);
    return way.engine;
  };
  const end = async (made: Made): Promise<void> => {
    made.over.abort();
    (await made.way)?.connection.release();
  };

  const engine: ContainerEngine = {
    host: () => Promise.resolve(known),
    watchEvents(scope) {
      const made = madeOf(stackOf(scope));
      const watch = lateWatch(made.way.then((way) => way?.engine.watchEvents(scope)));
      byWatch.set(watch, made);
      return Promise.resolve(watch);
    },
    async sampleMemory(containers, file, events) {
      const made = byWatch.get(events);
      if (made === undefined) throw new Error('memory is sampled with the watch of the same environment');
      return (await engineOf(made)).sampleMemory(containers, file, events);
    },
    async reports(scope) {
      const way = await soFar(madeOf(stackOf(scope)).way);
      return way === undefined ? [] : way.engine.reports(scope);
    },
    async leftovers(scope) {
      const list = (): Promise<Leftover[]> => cloud.leftovers(scope);
      if (all.get(stackOf(scope))?.destroyed !== true) return list();
      const wait = {
        what: 'the end of all that AWS has of it',
        deadlineMs: listDeadlineMs,
        intervalMs: 2_000,
      };
      return waitUntil(list, ({ length }) => length === 0, wait).catch(list);
    },
    // The end of the host is the end of what runs on it.
    kill: () => Promise.resolve(),
    everything: () => cloud.everything(),
    // Each has a host of its own: none is in another's way.
    limitsByStack: () => Promise.resolve(new Map()),
    remove: (leftovers) => cloud.remove(leftovers),
  };

  const reachableAt = (folder: string, outputs: Outputs): Promise<Outputs> =>
    reachable(outputs, (port) => forwardPort(folder, port));

  return {
    region: aws.region,
    dockerHostOf: (stack) => dockerHostOfTunnel(tunnelFolderOfStack(stack, backend)),
    engine,
    room: { enter: (_stack, _memoryMb, take) => take(), lookAgain: () => undefined },
    reached(stack, name, folder) {
      const made = madeOf(name);
      if (folder !== undefined) made.folder = folder;
      return {
        ...stack,
        async up(control) {
          const outputs = await stack.up(control);
          const { connection, folder: tunnel } = await present(made);
          await connection.ready();
          return reachableAt(tunnel, outputs);
        },
        async destroy(control) {
          // From here on its end is no fault.
          await end(made);
          await stack.destroy(control);
          made.destroyed = true;
          await closeTunnel(tunnelFolderOfStack(name, backend));
        },
      };
    },
    suites: (runner) =>
      suitesBehind(runner, async ({ environmentFile }) => {
        const made = [...all.values()].find(({ folder }) => folder === path.dirname(environmentFile));
        if (made === undefined) throw new Error(`no environment has the file ${environmentFile}`);
        return present(made);
      }),
    async leave() {
      for (const made of all.values()) {
        await end(made);
        await leaveHost(tunnelFolderOfStack(made.stack, backend)).catch(() => undefined);
      }
    },
  };
}

async function present({ stack, way }: Made): Promise<Way> {
  const opened = await withDeadline(`the way to the host of ${stack}`, presenceDeadlineMs, way);
  if (opened === undefined) throw new Error(`the host of ${stack} is not there`);
  return opened;
}

/** What has come of a promise by now. */
const soFar = <T>(promise: Promise<T>): Promise<T | undefined> =>
  Promise.race([promise, systemClock.sleep(0).then(() => undefined)]);

/** Waits for the connection that the stack's program opens. @returns undefined when it isn't waited for any more. */
async function wayTo(folder: string, where: string, over: AbortSignal): Promise<Way | undefined> {
  const open = async (): Promise<Way | undefined> => {
    const target = await readTarget(folder).catch(() => undefined);
    if (target === undefined || !(await answers(folder))) return undefined;
    const connection = keepConnection(folder, target);
    return { folder, connection, engine: engineBehind(connection, folder, where) };
  };
  const wait = { what: 'the host', deadlineMs: Number.POSITIVE_INFINITY, intervalMs, signal: over };
  return waitUntil(open, (way) => way !== undefined, wait).catch(() => undefined);
}
