import { describe, expect, test } from '@jest/globals';
import { allContainers, createdOf, eventOf, json, refuses, stats, statsOf } from './support/engine-api.js';
import { serviceNames } from '../../components/services.js';
import { fakeStacks } from './support/fakes.js';
import { notOk, only, redisStats, rehearsed, says, type Source } from './support/measured-run.js';
import { fails } from './support/run-with.js';

const test1 = { name: 'a', status: 'passed', durationMs: 1 };

/** By metric: a source that says nothing, or something that can't be, and the reason that the verdict gives. */
const cases: Record<string, [about: string, source: Source, reason: RegExp][]> = {
  'suites pass': [
    ['a suite that ends with another exit code than 0', { suite: { exitCode: 3 } }, /^failed: chat failed/],
    [
      'a suite that is killed after its results are written',
      { suite: { signal: 'SIGKILL' } },
      /^failed: chat failed/,
    ],
    ['a suite without a test', { suite: { tests: [] } }, /^failed: chat failed/],
    [
      'a suite with a skipped test',
      { suite: { tests: [test1, { ...test1, status: 'skipped' }] } },
      /^failed: chat failed/,
    ],
    ['test results that were not written', { suite: { without: ['tests.json'] } }, /^failed: chat failed/],
    ["another suite's test results", { suite: { suite: 'other' } }, /^failed: chat failed/],
    ['test results of fewer users than were asked for', { suite: { users: 3 } }, /^failed: chat failed/],
    [
      'a test that took less than no time',
      { suite: { tests: [{ ...test1, durationMs: -1 }] } },
      /^failed: chat failed/,
    ],
    ['a command that is not there', { command: ['/nonesuch'] }, /^not proven: chat errored/],
    [
      'an environment that does not come up',
      { stacks: fakeStacks([], { up: fails('no room') }) },
      /^not proven: chat errored/,
    ],
  ],
  'suites inside their timeouts': [
    [
      'a suite that does not end',
      { command: ['sleep', '1000'], timeoutMs: 500 },
      /^failed: chat took more than 0\.5 s/,
    ],
  ],
  'event delivery, p99': [
    [
      'latencies that were not written',
      { suite: { without: ['latencies.jsonl'] } },
      /^not proven: chat: latencies\.jsonl: the suite did not write it/,
    ],
    [
      'no latencies',
      { suite: { eventsPerUser: 0 } },
      /^not proven: chat: latencies\.jsonl: no event was recorded/,
    ],
    [
      'latencies that are cut short',
      { suite: { cut: 20 } },
      /^not proven: chat: latencies\.jsonl: line 200 is damaged/,
    ],
    [
      'latencies of one user only',
      { suite: { usersWithEvents: 1, eventsPerUser: 200 } },
      /^not proven: chat: events of 1 of 10 users/,
    ],
    [
      'fewer events than a 99th percentile takes',
      { suite: { eventsPerUser: 9 } },
      /^not proven: chat: 90 events are too few/,
    ],
    [
      "an older run's latencies",
      { suite: { agoMs: 60_000 } },
      /^not proven: chat: latencies\.jsonl: line 1: emitted .* before the suite began/,
    ],
    [
      "latencies of an application whose clock is ahead of the suite's",
      { suite: { clockMs: 50 } },
      /^not proven: chat: latencies\.jsonl: line 1: received 47 ms before it was emitted/,
    ],
    [
      'latencies of an application whose clock is far behind',
      { suite: { clockMs: -3_600_000 } },
      /^not proven: chat: latencies\.jsonl: line 1: emitted .* another clock or another run/,
    ],
    [
      'latencies of an application whose clock is a little behind',
      { suite: { clockMs: -150 } },
      /^failed: at or above it: chat/,
    ],
    [
      "latencies of 150 ms that the engine's clock, ahead of ours, makes small",
      { ...redisStats(() => statsOf(40, Date.now() + 60_000)), suite: { latencyMs: 10 } },
      /^not proven: chat: the engine's clock was \d+ ms ahead of ours/,
    ],
    [
      "an engine's clock that jumps ahead for a moment",
      redisStats((sent) => statsOf(40, Date.now() + (sent === 1 ? 60_000 : 0))),
      /^not proven: chat: the engine's clock was \d+ ms ahead of ours/,
    ],
  ],
  'memory within the budget': [
    [
      "one service's samples that end in mid-suite",
      redisStats((sent) => (sent > 1 ? undefined : statsOf(40))),
      /^not proven: chat: the memory samples of redis broke off: the engine ended them/,
    ],
    [
      'all samples that end in mid-suite',
      { engine: { stats: stats((sent) => (sent > 1 ? undefined : statsOf(40))) } },
      /^not proven: .*samples of postgres broke off.*samples of frontend broke off/,
    ],
    [
      'an engine that tells no memory',
      { engine: { stats: refuses } },
      /^not proven: chat: .*no memory sample came/,
    ],
    [
      'samples that are no figures',
      redisStats(() => '{"read":"2026-01-01T00:00:00Z","memory_stats":{"usage":null}}\n'),
      /^not proven: chat: a memory sample of redis can't be read/,
    ],
    [
      'a sampler whose file is gone',
      { command: ['sh', '-c', `cd $REHEARSAL_RESULTS/..; until rm memory.jsonl; do sleep 0.05; done`] },
      /^not proven: chat: .*memory\.jsonl/,
    ],
    ['more memory than the budget', redisStats(() => statsOf(2_000)), /^failed: above it: chat/],
  ],
  'no crash, no OOM kill': [
    [
      'events that end',
      says('events', (response) => response.end()),
      /^not proven: chat: the engine's events broke off/,
    ],
    [
      'events that break off',
      says('events', (response) => response.destroy()),
      /^not proven: chat: the engine's events broke off/,
    ],
    [
      'events that say nothing',
      says('events', () => undefined),
      /^not proven: chat: the engine's events lack the creation of postgres, redis, .*frontend/,
    ],
    [
      'events that lack a service',
      says('events', (response) => response.write(createdOf(serviceNames.slice(1)))),
      /^not proven: chat: the engine's events lack the creation of postgres$/,
    ],
    [
      "an event that can't be read",
      says('events', (response) => response.write('garbage\n')),
      /^not proven: chat: an event of the engine can't be read: garbage/,
    ],
    [
      'an end without an exit code',
      says('events', (response) => response.write(createdOf(serviceNames) + eventOf('redis', 'die'))),
      /^not proven: chat: an event of the engine can't be read: .*"die"/,
    ],
    [
      "events that can't be had",
      { engine: { events: refuses } },
      /^not proven: chat: the environment did not come up/,
    ],
    [
      "containers that can't be listed",
      { engine: { list: refuses } },
      /^not proven: chat: the containers can't be inspected/,
    ],
    [
      "containers that can't be inspected",
      { engine: { inspect: refuses } },
      /^not proven: chat: the containers can't be inspected/,
    ],
    [
      'a container that is gone',
      { engine: { list: json(allContainers.slice(1)) } },
      /^failed: chat: postgres gone/,
    ],
    [
      'a container that has ended without an event',
      only('redis', { Running: false, ExitCode: 137 }),
      /^failed: chat: redis exit \(it ended with exit code 137; limit 100 MiB, sampled peak 40 MiB\)/,
    ],
    [
      'an OOM kill of a child, by the event alone',
      says('events', (response) => response.write(createdOf(serviceNames) + eventOf('redis', 'oom'))),
      /^failed: chat: redis oom \(the engine reported an OOM kill in it; limit 100 MiB, sampled peak 40 MiB\)/,
    ],
    ['an OOM kill without an event', only('redis', { OOMKilled: true }), /^failed: chat: redis oom/],
  ],
  'everything destroyed': [
    [
      'a destroy that fails',
      { stacks: fakeStacks([], { destroy: fails('locked') }) },
      /^failed: chat: failed/,
    ],
    [
      'something that is left over',
      { engine: { volumes: json({ Volumes: [{ Name: 'data' }] }) } },
      /^failed: chat: left over/,
    ],
    ["a look for leftovers that isn't possible", { engine: { networks: refuses } }, /^failed: chat: failed/],
  ],
};

test('a run whose every source speaks is go', async () => {
  const record = await rehearsed({});
  expect(notOk(record)).toEqual({});
  expect(record.verdict.decision).toBe('go');
});

describe.each(Object.entries(cases))('%s is not ok', (metric, ofMetric) => {
  test.each(ofMetric)('for %s', async (_, source, reason) => {
    const record = await rehearsed(source);
    expect(record.verdict.decision).toBe('no-go');
    expect(notOk(record)[metric]).toMatch(reason);
  });
});
