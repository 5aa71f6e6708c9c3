import { describe, expect, test } from '@jest/globals';
import {
  endsSuite,
  findCrashes,
  type ContainerEvent,
  type ContainerState,
  type Traces,
} from '../../runners/oom.js';
import type { Crash, Memory } from '../../runners/report/record.js';

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
const crashesOf = (
  events: ContainerEvent[],
  states: ContainerState[],
  traces: Partial<Traces> = {},
): Crash[] => findCrashes({ events, states, exhaustions: [], ...traces }, ['backend', 'redis']);

describe('crashes', () => {
  test('are none while everything runs', () => {
    expect(crashesOf([], [running('backend'), running('redis')])).toEqual([]);
  });

  test('know an OOM kill of the main process', () => {
    const dead = { service: 'backend', running: false, oomKilled: true, exitCode: 137 };
    expect(crashesOf([oom, die(137)], [dead, running('redis')])).toEqual([
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
    expect(crashesOf([oom], [running('backend'), running('redis')])).toEqual([
      { service: 'backend', kind: 'oom', at, evidence: 'the engine reported an OOM kill in it' },
    ]);
  });

  test('tell a kill from outside from the OOM kill of a child that the service had survived', () => {
    const dead = { service: 'backend', running: false, oomKilled: true, exitCode: 137 };
    const found = crashesOf([oom, kill, die(137)], [dead, running('redis')]);
    expect(found).toEqual([
      { service: 'backend', kind: 'oom', at, evidence: 'the engine reported an OOM kill in it' },
      {
        service: 'backend',
        kind: 'killed',
        exitCode: 137,
        at,
        evidence: 'signal 9 was sent to it through the engine, it ended with exit code 137',
      },
    ]);
  });

  test('know an OOM kill from the state alone', () => {
    const dead = { service: 'backend', running: false, oomKilled: true, exitCode: 137 };
    expect(crashesOf([], [dead, running('redis')])).toMatchObject([{ kind: 'oom', exitCode: 137 }]);
  });

  test('call exit code 137 without an OOM kill an exit', () => {
    const dead = { service: 'backend', running: false, oomKilled: false, exitCode: 137 };
    expect(crashesOf([die(137)], [dead, running('redis')])).toEqual([
      { service: 'backend', kind: 'exit', exitCode: 137, at, evidence: 'it ended with exit code 137' },
    ]);
  });

  test('count an end with exit code 0, and one that was followed by a new start', () => {
    expect(crashesOf([die(0)], [running('backend'), running('redis')])).toMatchObject([
      { service: 'backend', kind: 'exit', exitCode: 0 },
    ]);
  });

  test('know a container that is no longer there', () => {
    expect(crashesOf([], [running('backend')])).toEqual([
      { service: 'redis', kind: 'gone', evidence: 'its container is no longer there' },
    ]);
  });

  test('tell an end by a signal through the engine from an end of its own', () => {
    const dead = { service: 'backend', running: false, oomKilled: false, exitCode: 137 };
    expect(crashesOf([kill, die(137)], [dead, running('redis')])).toEqual([
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
    expect(crashesOf([kill], [running('backend'), running('redis')])).toEqual([]);
  });

  test.each([
    ['pause', 'paused', 'it was paused'],
    ['unhealthy', 'unhealthy', 'its health check failed too often'],
    ['cut off', 'cut off', 'it was taken off its network'],
  ] as const)('know a service that lives on after "%s"', (action, kind, evidence) => {
    const event: ContainerEvent = { service: 'redis', action, atMs };
    expect(crashesOf([event, event], [running('backend'), running('redis')])).toEqual([
      { service: 'redis', kind, at, evidence },
    ]);
  });

  test('name everything that befell one service', () => {
    const paused: ContainerEvent = { service: 'backend', action: 'pause', atMs };
    const kinds = crashesOf([paused, die(1)], [running('redis')]).map(({ kind }) => kind);
    expect(kinds.toSorted()).toEqual(['exit', 'paused']);
  });
});

describe('memory that ran out', () => {
  const dead = (exitCode: number): ContainerState => ({
    service: 'backend',
    running: false,
    oomKilled: false,
    exitCode,
  });
  const redis = running('redis');
  const counted = (counts: object, host?: Memory['host']): { memory: Memory } => ({
    memory: {
      sampleCount: 9,
      peakMb: 90,
      gaps: [],
      services: { backend: { limitMb: 512, peakMb: 80, kernelPeakMb: 511, ...counts } },
      ...(host === undefined ? {} : { host }),
    },
  });
  const kinds = (crashes: Crash[]): string[] => crashes.map(({ service, kind }) => `${service} ${kind}`);
  const exhausted: Crash = { service: 'backend', kind: 'exhausted', at, evidence: "V8's heap limit was met" };

  test('comes with the limit, the sampled peak and the peak of the kernel', () => {
    const [crash] = crashesOf([oom, die(137)], [dead(137), redis], counted({}));
    expect(crash?.memory).toEqual({ limitMb: 512, peakMb: 80, kernelPeakMb: 511 });
  });

  test('is known by the count of the kernel when the engine missed it', () => {
    const traces = counted({ oomKills: 2 });
    expect(crashesOf([], [running('backend'), redis], traces)).toMatchObject([
      { service: 'backend', kind: 'oom', evidence: 'the kernel counts 2 OOM kills in it' },
    ]);
  });

  const countedAfter = (ms: number) => counted({ oomKills: 0, countedAt: new Date(atMs + ms).toISOString() });

  test('was not in a container in which the kernel killed nobody', () => {
    expect(crashesOf([oom], [running('backend'), redis], countedAfter(1_000))).toEqual([]);
  });

  test.each([
    ['before it', countedAfter(-1_000)],
    ['only in the moment of it', countedAfter(20)],
    ['nobody knows when', counted({ oomKills: 0 })],
  ])('was in one in which the kernel had killed nobody %s', (_, traces) => {
    expect(kinds(crashesOf([oom], [running('backend'), redis], traces))).toEqual(['backend oom']);
  });

  test('was in one that the last of several events is about', () => {
    const later: ContainerEvent = { ...oom, atMs: atMs + 2_000 };
    const crashes = crashesOf([oom, later], [running('backend'), redis], countedAfter(1_000));
    expect(kinds(crashes)).toEqual(['backend oom']);
  });

  test.each([
    ['stopped', [oom, kill, die(137)], 137, 'backend killed'],
    ['at its own end', [oom, die(1)], 1, 'backend exit'],
  ])('was not in one that was spared and is %s later', (_, events, exitCode, kind) => {
    // The engine marks a container as OOM killed for the event alone.
    const ended = { ...dead(exitCode), oomKilled: true };
    expect(kinds(crashesOf(events, [ended, redis], countedAfter(1_000)))).toEqual([kind]);
  });

  test('was in one that died before the kernel could be asked again', () => {
    const traces = counted({ oomKills: 0 });
    expect(kinds(crashesOf([oom, die(137)], [dead(137), redis], traces))).toEqual(['backend oom']);
  });

  test('was in one that somebody killed, and not through the engine, after it was spared', () => {
    const crashes = crashesOf([oom, die(137)], [dead(137), redis], countedAfter(1_000));
    expect(kinds(crashes)).toEqual(['backend oom']);
  });

  test('is the memory of the host when the container never met its own limit', () => {
    const traces = counted({ oomKills: 1, kernelPeakMb: 38 });
    expect(crashesOf([oom], [running('backend'), redis], traces)).toMatchObject([
      {
        kind: 'host oom',
        evidence: 'the kernel counts 1 OOM kill in it, which never used more than 38 of 512 MiB',
      },
    ]);
  });

  const emptyHost = { totalMb: 24_000, leastAvailableMb: 200, oomKills: 3 };

  test('is the memory of the host when a kill that nobody sent falls into a time when it had none', () => {
    const traces = counted({ oomKills: 0 }, emptyHost);
    expect(crashesOf([die(137)], [dead(137), redis], traces)).toMatchObject([
      {
        kind: 'host oom',
        exitCode: 137,
        evidence:
          'it ended with exit code 137, while the host had 200 of its 24000 MiB left ' +
          'and the kernel killed 3 processes on it for want of memory',
      },
    ]);
  });

  test('is the memory of the host when the engine tells of a kill in a container far from its limit', () => {
    const traces = counted({ kernelPeakMb: 90 }, emptyHost);
    expect(crashesOf([oom, die(137)], [dead(137), redis], traces)).toMatchObject([
      {
        kind: 'host oom',
        evidence:
          'the engine reported an OOM kill in it, which never used more than 90 of 512 MiB, ' +
          'while the host had 200 of its 24000 MiB left and the kernel killed 3 processes on it for want of memory',
      },
    ]);
  });

  test.each([
    ['a kernel that keeps no peak', { kernelPeakMb: undefined, oomKills: 1 }, emptyHost, 'backend host oom'],
    [
      'neither a peak of the kernel nor a look at the host',
      { kernelPeakMb: undefined, oomKills: 1 },
      undefined,
      'backend oom',
    ],
    ['a container that met its limit too', {}, emptyHost, 'backend oom'],
    [
      'a host with memory left',
      { kernelPeakMb: 90 },
      { ...emptyHost, leastAvailableMb: 9_000 },
      'backend oom',
    ],
    ['a host that nobody looked at', { kernelPeakMb: 90 }, undefined, 'backend oom'],
  ])('is whose, with %s', (_, counts, host, kind) => {
    expect(kinds(crashesOf([oom, die(137)], [dead(137), redis], counted(counts, host)))).toEqual([kind]);
  });

  test.each([
    ['sent through the engine', [kill, die(137)], emptyHost, 'backend killed'],
    ['on a host with memory left', [die(137)], { ...emptyHost, leastAvailableMb: 9_000 }, 'backend exit'],
    ['on a host whose kernel killed nobody', [die(137)], { ...emptyHost, oomKills: 0 }, 'backend exit'],
    ['on a host that nobody looked at', [die(137)], undefined, 'backend exit'],
    ['that was none', [die(1)], emptyHost, 'backend exit'],
  ])('is not guessed from a kill %s', (_, events, host, kind) => {
    expect(kinds(crashesOf(events, [dead(137), redis], counted({}, host)))).toEqual([kind]);
  });

  test.each([134, 139])('is that of a process when its own limit ended it with exit code %i', (exitCode) => {
    const traces = { exhaustions: [exhausted] };
    expect(crashesOf([die(exitCode)], [dead(exitCode), redis], traces)).toEqual([
      {
        service: 'backend',
        kind: 'exhausted',
        exitCode,
        at,
        evidence: `V8's heap limit was met; it ended with exit code ${String(exitCode)}`,
      },
    ]);
  });

  test('is that of a process although the service runs on', () => {
    expect(crashesOf([], [running('backend'), redis], { exhaustions: [exhausted] })).toEqual([exhausted]);
  });

  test.each([
    ['by itself', [die(1)], 1, 'backend exit'],
    ['by the engine', [kill, die(137)], 137, 'backend killed'],
    ['by the kernel', [oom, die(137)], 137, 'backend oom'],
  ])('is named beside an end of another cause: %s', (_, events, exitCode, kind) => {
    const crashes = crashesOf(events, [dead(exitCode), redis], { exhaustions: [exhausted] });
    expect(kinds(crashes)).toEqual([kind, 'backend exhausted']);
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
