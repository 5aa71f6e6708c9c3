import { describe, expect, test } from '@jest/globals';
import { hostReserveMb, operationMb } from '../../components/sizing.js';
import { jobsFor, occupantsOf, reasonToWait, type Occupant } from '../../runners/admission.js';
import { leaseOf } from './support/leases.js';

const small = (stack: string): Occupant => ({ stack, memoryMb: 1712 });
const none = new Map<string, number>();
const alive = () => false;
const dead = () => true;
const here = 'unix:///var/run/docker.sock';

describe('what has memory on a host', () => {
  test('is what has a lease of a living owner, before it has containers', () => {
    const leases = [leaseOf('one'), leaseOf('two')];
    expect(occupantsOf({ leases, unreadable: [] }, none, here, alive)).toEqual([small('one'), small('two')]);
  });

  test('is what a dead owner left running, until it is gone', () => {
    const leases = { leases: [leaseOf('one'), leaseOf('two')], unreadable: [] };
    const standing = new Map([['two', 1712]]);
    expect(occupantsOf(leases, standing, here, dead)).toEqual([small('two')]);
  });

  test('is what runs without a lease: another user made it, or a plain `pulumi up`', () => {
    const standing = new Map([['theirs', 900]]);
    expect(occupantsOf({ leases: [leaseOf('one')], unreadable: [] }, standing, here, alive)).toEqual([
      { stack: 'theirs', memoryMb: 900 },
      small('one'),
    ]);
  });

  test('is what the containers have while a stack becomes smaller, and what is to come while it grows', () => {
    const leases = { leases: [leaseOf('one')], unreadable: [] };
    for (const [runningMb, memoryMb] of [
      [13_696, 13_696],
      [900, 1712],
    ]) {
      const standing = new Map([['one', runningMb ?? 0]]);
      expect(occupantsOf(leases, standing, here, alive)).toEqual([{ stack: 'one', memoryMb }]);
    }
  });

  test('is not what is on another Docker Engine', () => {
    const leases = [leaseOf('one', { dockerHost: 'ssh://elsewhere' })];
    expect(occupantsOf({ leases, unreadable: [] }, none, here, alive)).toEqual([]);
  });
});

describe('an environment', () => {
  const room = 2 * 1712 + hostReserveMb + operationMb;

  test('needs no wait when it just fits beside the others', () => {
    expect(reasonToWait(small('new'), room, [small('one')], [])).toBeUndefined();
  });

  test('waits when one MiB is missing, and the reason names who has it', () => {
    expect(reasonToWait(small('new'), room - 1, [small('one')], [])).toBe(
      "1712 MiB don't fit beside one (1712 MiB): the host has 3423 MiB for environments",
    );
  });

  test('waits behind those who came first, also when it would fit', () => {
    expect(reasonToWait(small('new'), 100_000, [], [small('one'), { stack: 'two', memoryMb: 13_696 }])).toBe(
      '1712 MiB come after one (1712 MiB), two (13696 MiB), which wait too',
    );
  });
});

describe('as many jobs as a host can do', () => {
  const host = { memoryMb: 24_105, cpus: 16 };

  test('are bounded by its memory', () => {
    expect(jobsFor(13_696, host, 5)).toBe(1);
    expect(jobsFor(7_552, host, 5)).toBe(2);
    expect(jobsFor(7_500, host, 5)).toBe(3);
  });

  test('by its cores', () => {
    expect(jobsFor(1_712, { ...host, cpus: 2 }, 5)).toBe(1);
    expect(jobsFor(1_712, { ...host, cpus: 7 }, 5)).toBe(3);
  });

  test('by the suites, and one at least', () => {
    expect(jobsFor(1_712, host, 5)).toBe(5);
    expect(jobsFor(13_696, { memoryMb: 1_000, cpus: 1 }, 5)).toBe(1);
  });
});
