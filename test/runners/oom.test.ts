import { describe, expect, test } from '@jest/globals';
import { findCrashes, type ContainerEvent, type ContainerState } from '../../runners/oom.js';

const running = (service: string): ContainerState => ({
  service,
  running: true,
  oomKilled: false,
  exitCode: 0,
});
const event = (action: ContainerEvent['action'], exitCode?: number): ContainerEvent => ({
  service: 'backend',
  action,
  atMs: Date.UTC(2026, 0, 1),
  ...(exitCode === undefined ? {} : { exitCode }),
});
const at = '2026-01-01T00:00:00.000Z';
const expected = ['backend', 'redis'];

describe('crashes', () => {
  test('are none while everything runs', () => {
    expect(findCrashes([], [running('backend'), running('redis')], expected)).toEqual([]);
  });

  test('know an OOM kill of the main process', () => {
    const dead = { service: 'backend', running: false, oomKilled: true, exitCode: 137 };
    expect(findCrashes([event('oom'), event('die', 137)], [dead, running('redis')], expected)).toEqual([
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
    expect(findCrashes([event('oom')], [running('backend'), running('redis')], expected)).toEqual([
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
    expect(findCrashes([event('die', 137)], [dead, running('redis')], expected)).toEqual([
      { service: 'backend', kind: 'exit', exitCode: 137, at, evidence: 'it ended with exit code 137' },
    ]);
  });

  test('count an end with exit code 0, and one that was followed by a new start', () => {
    expect(findCrashes([event('die', 0)], [running('backend'), running('redis')], expected)).toMatchObject([
      { service: 'backend', kind: 'exit', exitCode: 0 },
    ]);
  });

  test('know a container that is no longer there', () => {
    expect(findCrashes([], [running('backend')], expected)).toEqual([
      { service: 'redis', kind: 'gone', evidence: 'its container is no longer there' },
    ]);
  });
});
