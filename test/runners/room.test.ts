import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { uptime } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { hostReserveMb, operationMb } from '../../components/sizing.js';
import { waitUntil } from '../../engine/wait.js';
import { removeLease, writeLease } from '../../runners/leases.js';
import { thisProcess } from '../../runners/owner.js';
import { roomOf, type Waiting } from '../../runners/room.js';
import { joinLine } from '../../runners/waiting-line.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { fakeEngine } from './support/fakes.js';
import { leaseOf } from './support/leases.js';

const dockerHost = 'unix:///var/run/docker.sock';
const smallMb = 1712;
let folder: string;
const line = (): string => path.join(folder, 'line');
beforeEach(() => {
  folder = temporaryFolder('leases');
});

/** A host with memory for so many small environments. */
function roomFor(environments: number, standing: () => ReadonlyMap<string, number> = () => new Map()) {
  const memoryMb = environments * smallMb + hostReserveMb + (environments - 1) * operationMb;
  const engine = fakeEngine();
  return roomOf(
    {
      host: async () => ({ ...(await engine.host()), memoryMb }),
      limitsByStack: () => Promise.resolve(standing()),
    },
    dockerHost,
    folder,
  );
}

const never = new AbortController().signal;
/** Goes in as a run does: by taking a lease. */
function enter(room: ReturnType<typeof roomFor>, stack: string, changes: Partial<Waiting> = {}) {
  const state = { isIn: false, reasons: [] as string[] };
  const waiting = {
    signal: never,
    isNeeded: () => true,
    onWait: (reason: string) => state.reasons.push(reason),
  };
  const take = async (): Promise<void> => {
    await writeLease(leaseOf(stack), folder);
    state.isIn = true;
  };
  return { state, entered: room.enter(stack, smallMb, take, { ...waiting, ...changes }) };
}
const until = (predicate: () => boolean): Promise<boolean> =>
  waitUntil(() => Promise.resolve(predicate()), Boolean, {
    ...{ what: 'the test', deadlineMs: 20_000, intervalMs: 10 },
  });

describe('an environment', () => {
  test('doesn’t wait for one in another container that has stopped to wait, but for one that has not', async () => {
    mkdirSync(line());
    const file = path.join(line(), '0-1.json');
    const owner = { ...thisProcess(), pidNamespace: 'pid:[1]' };
    writeFileSync(file, JSON.stringify({ stack: 'one', memoryMb: smallMb, dockerHost, owner }));
    const { entered, state } = enter(roomFor(2), 'two');
    await until(() => state.reasons.length > 0);
    expect(state.reasons).toEqual([
      `${String(smallMb)} MiB come after one (${String(smallMb)} MiB), which wait too`,
    ]);
    utimesSync(file, 1, 1);
    await entered;
  });

  test('has the memory of one in another container whose time is over', async () => {
    const secondMs = 1_000;
    const owner = { ...thisProcess(), pidNamespace: 'pid:[1]' };
    const [madeAt, expiresAt] = [20 * secondMs, 10 * secondMs].map((ms) =>
      new Date(Date.now() - ms).toISOString(),
    );
    const terms = { owner, madeAt: madeAt ?? '', madeAtUptimeS: uptime() - 20, expiresAt: expiresAt ?? '' };
    await writeLease(leaseOf('one', terms), folder);
    const { entered, state } = enter(roomFor(1), 'two');
    await entered;
    expect(state).toEqual({ isIn: true, reasons: [] });
  });

  test('goes in at once where there is room, and leaves no place in the line', async () => {
    const { entered, state } = enter(roomFor(1), 'one');
    await entered;
    expect(state).toEqual({ isIn: true, reasons: [] });
    expect(readdirSync(line())).toEqual([]);
  });

  test('waits for the lease of another, is told why, and goes in when that is given back', async () => {
    const room = roomFor(1);
    await enter(room, 'one').entered;
    const second = enter(room, 'two');
    await until(() => second.state.reasons.length > 0);
    expect(second.state).toEqual({
      isIn: false,
      reasons: ["1712 MiB don't fit beside one (1712 MiB): the host has 1492 MiB for environments"],
    });
    await removeLease(leaseOf('one'), folder);
    await second.entered;
    expect(second.state.isIn).toBe(true);
  });

  test('waits for containers without a lease', async () => {
    const standing = new Map([['theirs', smallMb]]);
    const { entered, state } = enter(
      roomFor(1, () => standing),
      'one',
    );
    await until(() => state.reasons.length > 0);
    expect(state.reasons[0]).toContain('theirs (1712 MiB)');
    standing.clear();
    await entered;
  });

  test('is no neighbour of its own', async () => {
    const room = roomFor(1, () => new Map([['one', smallMb]]));
    await enter(room, 'one').entered;
  });
});

describe('several environments', () => {
  test('go in in the order in which they came', async () => {
    const room = roomFor(1);
    await enter(room, 'one').entered;
    const second = enter(room, 'two');
    await until(() => second.state.reasons.length > 0);
    const third = enter(room, 'three');
    await until(() => third.state.reasons.length > 0);
    expect(third.state.reasons[0]).toBe('1712 MiB come after two (1712 MiB), which wait too');
    await removeLease(leaseOf('one'), folder);
    await second.entered;
    expect(third.state.isIn).toBe(false);
    await removeLease(leaseOf('two'), folder);
    await third.entered;
  });

  test('that come at once never are more than fit', async () => {
    const room = roomFor(3);
    let most = 0;
    const live = new Set<string>();
    const stacks = Array.from({ length: 8 }, (_, index) => `stack-${String(index)}`);
    await Promise.all(
      stacks.map(async (stack) => {
        await enter(room, stack).entered;
        live.add(stack);
        most = Math.max(most, live.size);
        await new Promise((resolve) => setImmediate(resolve));
        live.delete(stack);
        await removeLease(leaseOf(stack), folder);
      }),
    );
    expect(most).toBeLessThanOrEqual(3);
  });

  test('wait behind whoever stands in line, be it for a small one', async () => {
    const place = await joinLine(line(), { stack: 'other', memoryMb: 1 }, dockerHost);
    const { entered, state } = enter(roomFor(2), 'one');
    await until(() => state.reasons.length > 0);
    expect(state.reasons).toEqual(['1712 MiB come after other (1 MiB), which wait too']);
    await place.leave();
    await entered;
  });

  test('that are not needed yet stand in no line, but wait while others do', async () => {
    const place = await joinLine(line(), { stack: 'other', memoryMb: 1 }, dockerHost);
    let asked = 0;
    const ahead = enter(roomFor(2), 'ahead', { isNeeded: () => (asked += 1) < 0 });
    await until(() => asked > 4);
    expect(ahead.state).toEqual({ isIn: false, reasons: [] });
    expect(readdirSync(line())).toHaveLength(1);
    await place.leave();
    await ahead.entered;
  });

  test('that become needed while somebody looks are told nothing of what was seen before', async () => {
    const standing = new Map([['theirs', smallMb]]);
    let needed = false;
    const room = roomFor(1, () => {
      // As when a suite's environment goes just now, and with it what kept its job.
      const seen = new Map(standing);
      standing.clear();
      needed = true;
      return seen;
    });
    const { entered, state } = enter(room, 'ahead', { isNeeded: () => needed });
    await entered;
    expect(state.reasons).toEqual([]);
  });

  test('wait for nobody who is dead, unreadable or at another engine', async () => {
    await joinLine(line(), { stack: 'other', memoryMb: 1 }, 'unix:///elsewhere.sock');
    await writeFile(path.join(line(), '0-cut.json'), '{"stack":"cut sh');
    const owner = { ...thisProcess(), startedAt: '1' };
    const ticket = { stack: 'dead', memoryMb: 1, dockerHost, owner };
    await writeFile(path.join(line(), '0-dead.json'), JSON.stringify(ticket));
    const { entered, state } = enter(roomFor(1), 'one');
    await entered;
    expect(state.reasons).toEqual([]);
    expect(readdirSync(line())).not.toContain('0-dead.json');
  });
});

test('a wait can be ended: who waited leaves the line and takes nothing', async () => {
  const room = roomFor(1);
  await enter(room, 'one').entered;
  const stop = new AbortController();
  const { entered, state } = enter(room, 'two', { signal: stop.signal });
  await until(() => state.reasons.length > 0);
  stop.abort();
  await expect(entered).rejects.toThrow('aborted');
  expect(state.isIn).toBe(false);
  expect(readdirSync(line())).toEqual([]);
});
