import { describe, expect, test } from '@jest/globals';
import { endpointsSchema } from '../../../components/outputs.js';
import { serviceNames } from '../../../components/services.js';
import type { HostClock } from '../../../engine/ssh/clock.js';
import { portsOf, reachable } from '../../../runners/hosts/reach.js';
import { withHostClock } from '../../../runners/hosts/remote.js';
import type { Clock, Measured } from '../../../runners/report/record.js';
import { outputs } from '../support/fakes.js';

/** As a host publishes them: each service at a port of its own. */
const published = {
  ...outputs,
  services: Object.fromEntries(
    serviceNames.map((name, index) => [name, { ...outputs.services[name], port: 40_000 + index }]),
  ) as typeof outputs.services,
};
const portOf = (service: (typeof serviceNames)[number]): string => String(published.services[service].port);
const there = {
  ...published,
  endpoints: {
    ...published.endpoints,
    frontendUrl: `http://127.0.0.1:${portOf('frontend')}`,
    backendWebSocketUrl: `ws://127.0.0.1:${portOf('backend')}/ws`,
    postgres: { ...published.endpoints.postgres, port: published.services.postgres.port },
    redis: { ...published.endpoints.redis, port: published.services.redis.port },
    clickhouse: { ...published.endpoints.clickhouse, url: `http://127.0.0.1:${portOf('clickhouse')}` },
  },
};

describe('the outputs of an environment on another machine', () => {
  test('lead there from here: every port is the one that was made for it', async () => {
    const asked: number[] = [];
    const here = await reachable(there, (port) => {
      asked.push(port);
      return Promise.resolve(port + 1_000);
    });
    expect(asked.sort()).toEqual(portsOf(there).sort());
    for (const name of serviceNames) {
      expect(here.services[name].port).toBe(there.services[name].port + 1_000);
    }
    expect(here.endpoints).toMatchObject({
      frontendUrl: `http://127.0.0.1:${String(here.services.frontend.port)}`,
      backendWebSocketUrl: `ws://127.0.0.1:${String(here.services.backend.port)}/ws`,
      postgres: { ...there.endpoints.postgres, port: here.services.postgres.port },
      redis: { port: here.services.redis.port },
      clickhouse: { url: `http://127.0.0.1:${String(here.services.clickhouse.port)}` },
    });
    expect(endpointsSchema.parse(here.endpoints)).toEqual(here.endpoints);
  });

  test('can not be had when a port can not be reached', async () => {
    const failed = reachable(there, () => Promise.reject(new Error('the connection is gone')));
    await expect(failed).rejects.toThrow('the connection is gone');
  });
});

describe("the clock of a host during a suite's time", () => {
  const clock: Measured<Clock> = { measured: true, value: { engineAheadMs: 300, setByMs: 0 } };
  const at = (aheadMs: number, uncertaintyMs: number): Measured<HostClock> => ({
    measured: true,
    value: { aheadMs, uncertaintyMs },
  });
  const unmeasured = { measured: false, reason: 'the connection is gone' } as const;

  test('is as uncertain as the worse comparison, and by what lies between the two', () => {
    expect(withHostClock(clock, at(300, 1), at(304, 3))).toEqual({
      measured: true,
      value: { engineAheadMs: 300, setByMs: 0, host: { aheadMs: 302, uncertaintyMs: 5 } },
    });
  });

  test('is not known unless it was compared before and after', () => {
    expect(withHostClock(clock, unmeasured, at(1, 1))).toEqual(unmeasured);
    expect(withHostClock(clock, at(1, 1), unmeasured)).toEqual(unmeasured);
  });

  test('is not known when ours is not', () => {
    const lost = { measured: false, reason: 'no memory sample came' } as const;
    expect(withHostClock(lost, at(1, 1), at(1, 1))).toEqual(lost);
  });
});
