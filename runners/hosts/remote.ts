import type { Outputs } from '../../components/outputs.js';
import { connectDocker } from '../../engine/docker.js';
import { compareClocks, type HostClock } from '../../engine/ssh/clock.js';
import { cancelForwards, forwardPort } from '../../engine/ssh/forwards.js';
import { describeTarget, dockerHostOfTunnel, folderOf, type SshTarget } from '../../engine/ssh/target.js';
import { dockerEngine, type ContainerEngine } from '../docker.js';
import { messageOf } from '../errors.js';
import type { Clock, Measured } from '../report/record.js';
import { roomOf } from '../room.js';
import type { SuiteRequest, SuiteRunner } from '../suite-runner.js';
import { keepConnection, type Connection } from './connection.js';
import type { LastingHost } from './host.js';
import { portsOf, reachable } from './reach.js';
import { leaveHost } from './users.js';

/** Any machine that is there before the environments are, and after them. */
export function remoteHost(target: SshTarget): LastingHost {
  const folder = folderOf(target);
  const dockerHost = dockerHostOfTunnel(folder);
  const connection = keepConnection(folder, target);
  const engine = engineBehind(connection, folder, describeTarget(target));
  const reachableOf = async (outputs: Outputs): Promise<Outputs> => {
    await connection.ready();
    return reachable(outputs, (port) => forwardPort(folder, port));
  };
  return {
    dockerHostOf: () => dockerHost,
    engine,
    room: roomOf(engine, dockerHost),
    reachable: reachableOf,
    reached(stack) {
      let ports: number[] = [];
      return {
        ...stack,
        async up(control) {
          await connection.ready();
          const outputs = await stack.up(control);
          ports = portsOf(outputs);
          return reachableOf(outputs);
        },
        async destroy(control) {
          await connection.ready();
          await stack.destroy(control);
          await cancelForwards(folder, ports);
        },
      };
    },
    suites: (runner) => suitesBehind(runner, () => Promise.resolve({ folder, connection })),
    async leave() {
      connection.release();
      // A connection that can't be ended now ends by itself.
      await leaveHost(folder).catch(() => undefined);
    },
  };
}

/** The same runner, for suites whose environments are on a host that a connection leads to. */
export const suitesBehind = (
  runner: SuiteRunner,
  wayOf: (request: SuiteRequest) => Promise<{ folder: string; connection: Connection }>,
): SuiteRunner => ({
  async run(request) {
    const { folder, connection } = await wayOf(request);
    const clock = await clockOf(folder);
    const run = await runner.run({ ...request, ...(clock.measured ? { hostClock: clock.value } : {}) });
    // What cut its connections may have ended it before anybody else saw it.
    await connection.verify();
    // Latencies between two clocks that nobody compared are none.
    return clock.measured || !run.latency.measured ? run : { ...run, latency: clock };
  },
});

/** The engine of another machine: after a cut, each question waits for the connection to be there again. */
export function engineBehind(connection: Connection, folder: string, where: string): ContainerEngine {
  const engine = dockerEngine(connectDocker(dockerHostOfTunnel(folder)), false);
  const behind =
    <Args extends unknown[], Answer>(ask: (...args: Args) => Promise<Answer>) =>
    async (...args: Args): Promise<Answer> => {
      await connection.ready();
      return ask(...args);
    };
  return {
    host: behind(async () => ({ ...(await engine.host()), where })),
    watchEvents: behind(async (scope) => {
      const watch = await engine.watchEvents(scope);
      const cut = new AbortController();
      const forget = connection.onCut((reason) => {
        cut.abort(reason);
      });
      return {
        ...watch,
        fault: AbortSignal.any([watch.fault, cut.signal]),
        stop() {
          forget();
          return watch.stop();
        },
      };
    }),
    sampleMemory: behind(async (containers, file, events) => {
      const before = await clockOf(folder);
      const watch = await engine.sampleMemory(containers, file, events);
      return {
        async stop() {
          const watched = await watch.stop();
          return { ...watched, clock: withHostClock(watched.clock, before, await clockOf(folder)) };
        },
      };
    }),
    reports: behind(async (scope) =>
      (await engine.reports(scope)).map((report) => ({
        ...report,
        async readLog(read) {
          await connection.ready();
          return report.readLog(read);
        },
      })),
    ),
    kill: behind((scope) => engine.kill(scope)),
    leftovers: behind((scope) => engine.leftovers(scope)),
    everything: behind(() => engine.everything()),
    limitsByStack: behind(() => engine.limitsByStack()),
    remove: behind((leftovers) => engine.remove(leftovers)),
  };
}

const clockOf = (folder: string): Promise<Measured<HostClock>> =>
  compareClocks(folder).then(
    (value) => ({ measured: true, value }),
    (error: unknown) => ({ measured: false, reason: messageOf(error) }),
  );

/** What is known of the host's clock for the whole time between two comparisons. */
export function withHostClock(
  clock: Measured<Clock>,
  before: Measured<HostClock>,
  after: Measured<HostClock>,
): Measured<Clock> {
  if (!clock.measured) return clock;
  if (!before.measured) return before;
  if (!after.measured) return after;
  const [one, other] = [before.value, after.value];
  const host = {
    aheadMs: (one.aheadMs + other.aheadMs) / 2,
    uncertaintyMs:
      Math.max(one.uncertaintyMs, other.uncertaintyMs) + Math.abs(one.aheadMs - other.aheadMs) / 2,
  };
  return { measured: true, value: { ...clock.value, host } };
}
