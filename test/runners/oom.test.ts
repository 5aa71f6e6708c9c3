import { describe, expect, test } from '@jest/globals';
import { endsSuite, findCrashes, type ContainerEvent, type ContainerState } from '../../runners/oom.js';

const running = (service: string): ContainerState => ({
  service,
  running: true,
  oomKilled: false,
  exitCode: 0,
});
const atMs = Date.UTC(2026, 0, 1);
const oom: ContainerEvent = { service: 'backend', action: 'oom', atMs };
const die = (exitCode: number): ContainerEvent => ({ service: 'backend', action: 'die', exitCode, atMs });
const kill: ContainerEvent = { service: 'backend', action: 'kill', signal: '9', atMs };
const at = '2026-01-01T00:00:00.000Z';
const expected = ['backend', 'redis'];

describe('crashes', () => {
  test('are none while everything runs', () => {
    expect(findCrashes([], [running('backend'), running('redis')], expected)).toEqual([]);
  });

  test('know an OOM kill of the main process', () => {
    const dead = { service: 'backend', running: false, oomKilled: true, exitCode: 137 };
    expect(findCrashes([oom, die(137)], [dead, running('redis')], expected)).toEqual([
      {
        service: 'backend',
        kind: 'oom',
        exitCode: 137,
        at,
        evidence: 'the engine reported an OOM kill in it',
      },
    ]);
  });

  test('know an OOM kill of a child, although the container runs on', () => {
    expect(findCrashes([oom], [running('backend'), running('redis')], expected)).toEqual([
      { service: 'backend', kind: 'oom', at, evidence: 'the engine reported an OOM kill in it' },
    ]);
  });

  test('know an OOM kill from the state alone', () => {
    const dead = { service: 'backend', running: false, oomKilled: true, exitCode: 137 };
    expect(findCrashes([], [dead, running('redis')], expected)).toMatchObject([
      { kind: 'oom', exitCode: 137 },
    ]);
  });

  test('call exit code 137 without an OOM kill an exit', () => {
    const dead = { service: 'backend', running: false, oomKilled: false, exitCode: 137 };
    expect(findCrashes([die(137)], [dead, running('redis')], expected)).toEqual([
      { service: 'backend', kind: 'exit', exitCode: 137, at, evidence: 'it ended with exit code 137' },
    ]);
  });

  test('count an end with exit code 0, and one that was followed by a new start', () => {
    expect(findCrashes([die(0)], [running('backend'), running('redis')], expected)).toMatchObject([
      { service: 'backend', kind: 'exit', exitCode: 0 },
    ]);
  });

  test('know a container that is no longer there', () => {
    expect(findCrashes([], [running('backend')], expected)).toEqual([
      { service: 'redis', kind: 'gone', evidence: 'its container is no longer there' },
    ]);
  });

  test('tell an end by a signal through the engine from an end of its own', () => {
    const dead = { service: 'backend', running: false, oomKilled: false, exitCode: 137 };
    expect(findCrashes([kill, die(137)], [dead, running('redis')], expected)).toEqual([
      {
        service: 'backend',
        kind: 'killed',
        exitCode: 137,
        at,
        evidence: 'signal 9 was sent to it through the engine, it ended with exit code 137',
      },
    ]);
  });

  test('do not count a signal that a service survives', () => {
    expect(findCrashes([kill], [running('backend'), running('redis')], expected)).toEqual([]);
  });

  test.each([
    ['pause', 'paused', 'it was paused'],
    ['unhealthy', 'unhealthy', 'its health check failed too often'],
    ['cut off', 'cut off', 'it was taken off its network'],
  ] as const)('know a service that lives on after "%s"', (action, kind, evidence) => {
    const event: ContainerEvent = { service: 'redis', action, atMs };
    expect(findCrashes([event, event], [running('backend'), running('redis')], expected)).toEqual([
      { service: 'redis', kind, at, evidence },
    ]);
  });

  test('name everything that befell one service', () => {
    const paused: ContainerEvent = { service: 'backend', action: 'pause', atMs };
    const kinds = findCrashes([paused, die(1)], [running('redis')], expected).map(({ kind }) => kind);
    expect(kinds.toSorted()).toEqual(['exit', 'paused']);
  });
});

describe('a suite is ended', () => {
  test.each(['pause', 'unhealthy', 'cut off'] as const)('by "%s"', (action) => {
    expect(endsSuite({ service: 'redis', action, atMs })).toBe(true);
  });

  test("by a service's end", () => {
    expect(endsSuite(die(0))).toBe(true);
  });

  test('not by an OOM kill alone, which may be of a child, nor by a signal alone', () => {
    expect([oom, kill].map(endsSuite)).toEqual([false, false]);
  });
});
