import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { isElsewhere, isProvablyDead, isUnseen, thisProcess, type Owner } from '../../runners/owner.js';

const here = thisProcess();

/** A process that has ended, and was waited for. */
async function endedPid(): Promise<number> {
  const child = spawn(process.execPath, ['--eval', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
}

describe('an owner', () => {
  test('is alive as long as its process is', () => {
    expect(isProvablyDead(here)).toBe(false);
  });

  test('is dead when no process has its number', async () => {
    expect(isProvablyDead({ ...here, pid: await endedPid() })).toBe(true);
  });

  test.each<[string, Partial<Owner>]>([
    ['another process got its number', { startedAt: '1' }],
    ['the machine was started anew', { bootId: 'another' }],
  ])('is dead when %s', (_, change) => {
    expect(isProvablyDead({ ...here, ...change })).toBe(true);
  });

  test.each<[string, Partial<Owner>]>([
    ['on another machine', { hostname: 'another' }],
    ['on another machine of the same name', { machineId: 'another', bootId: 'another' }],
    ['in a container that shares this folder', { pidNamespace: 'pid:[1]' }],
  ])('is not known to be dead %s', async (_, change) => {
    expect(isProvablyDead({ ...here, pid: await endedPid(), ...change })).toBe(false);
  });

  test('is seen on this machine, however it was started, and outside of other containers', () => {
    expect(isUnseen(here)).toBe(false);
    expect(isUnseen({ ...here, bootId: 'another', pidNamespace: 'pid:[1]' })).toBe(false);
    expect(isUnseen({ ...here, pidNamespace: 'pid:[1]' })).toBe(true);
    expect(isUnseen({ ...here, hostname: 'another' })).toBe(true);
  });

  test('is elsewhere only on another machine', () => {
    expect(isElsewhere({ ...here, bootId: 'another' })).toBe(false);
    expect(isElsewhere({ ...here, machineId: 'another' })).toBe(true);
  });
});
