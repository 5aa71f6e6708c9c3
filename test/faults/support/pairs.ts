import { expect, type test } from '@jest/globals';
import type { Endpoints } from '../../../components/outputs.js';
import { faultTimeoutMs, type FaultEnvironment, type SuiteFindings } from './environment.js';
import type { FrameFault } from './frames.js';
import { withFaults, type Faults } from './proxy.js';

/** A fault, and what the suite that is named for it has to say of it. */
export interface Pair {
  fault: string;
  /** Runs the suite while the fault is there. */
  inject: (endpoints: Endpoints, runSuite: RunSuite) => Promise<SuiteFindings>;
  message: RegExp;
}
type RunSuite = (endpoints: Endpoints) => Promise<SuiteFindings>;

/** Faults of services, as a proxy in front of them makes them. */
export const atServices =
  (make: () => Faults): Pair['inject'] =>
  (endpoints, runSuite) =>
    withFaults(endpoints, make(), runSuite);

/** Faults of the events on the backend's WebSocket. */
export const inEvents = (make: () => FrameFault): Pair['inject'] =>
  atServices(() => ({ backend: { frame: make() } }));

/** How tests run: `test` in turns, `test.concurrent` side by side, where no suite meets another's fault. */
type Kind = Pick<typeof test.concurrent, 'each'> &
  ((name: string, fn: () => Promise<void>, timeoutMs: number) => void);

/** A test that the suite passes through the same proxies when nothing is wrong. */
export function testWithoutFault(
  kind: Kind,
  environment: () => FaultEnvironment,
  suite: string,
  proxied: (keyof Faults)[],
): void {
  kind(
    `${suite} passes when nothing is wrong`,
    async () => {
      const faultless = Object.fromEntries(proxied.map((service) => [service, {}]));
      const findings = await withFaults(environment().endpoints, faultless, (endpoints) =>
        environment().runSuite(suite, endpoints),
      );
      expect(findings).toEqual({ outcome: { kind: 'passed' }, failures: [] });
    },
    faultTimeoutMs,
  );
}

/** A test per pair. */
export function testPairs(
  kind: Kind,
  environment: () => FaultEnvironment,
  suite: string,
  pairs: Pair[],
): void {
  kind.each(pairs)(
    `${suite} fails when $fault`,
    async ({ inject, message }) => {
      const { outcome, failures } = await inject(environment().endpoints, (endpoints) =>
        environment().runSuite(suite, endpoints),
      );
      expect({ outcome, failures }).toMatchObject({ outcome: { kind: 'failed' } });
      expect(failures.join('\n')).toMatch(message);
    },
    faultTimeoutMs,
  );
}
