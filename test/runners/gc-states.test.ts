import { describe, expect, test } from '@jest/globals';
import type { Orphan } from '../../runners/gc-plan.js';
import { readStates, withoutProlonged } from '../../runners/gc-states.js';
import { StackError } from '../../runners/pulumi.js';
import { extensionInTags } from '../../runners/stack-state.js';
import { leaseOf } from './support/leases.js';

const now = { atMs: Date.parse('2026-01-01T05:00:00Z'), uptimeS: 0, bootId: 'boot' };
const orphan = (changes: Partial<Orphan> = {}): Orphan => ({
  ...{ stack: 'one', runId: 'tabc123xyz', suite: 'chat', expired: true, reason: 'its time is over' },
  ...changes,
});
const extended = (until: string) => () => Promise.resolve(until);

describe('a stack whose time is over', () => {
  test('is left alone when its state says that it was prolonged', async () => {
    const plan = { orphans: [orphan()], refused: ['another'] };
    expect(await withoutProlonged(plan, now, extended('2026-01-01T05:00:01.000Z'))).toEqual({
      orphans: [],
      refused: ['another', 'one: it was prolonged until 2026-01-01T05:00:01.000Z'],
    });
  });

  test.each([undefined, '2026-01-01T05:00:00.000Z'])(
    'is an orphan when it was prolonged until %s',
    async (until) => {
      const plan = { orphans: [orphan()], refused: [] };
      expect(await withoutProlonged(plan, now, () => Promise.resolve(until))).toEqual(plan);
    },
  );

  test('is an orphan when its state can’t be asked', async () => {
    const plan = { orphans: [orphan()], refused: [] };
    const ask = () => Promise.reject(new StackError('no such bucket'));
    expect(await withoutProlonged(plan, now, ask)).toEqual(plan);
  });

  test('is left alone when what its state says is no time', async () => {
    const ask = () => Promise.resolve(extensionInTags('{"rehearsal.expires-at":"next week"}'));
    expect(await withoutProlonged({ orphans: [orphan()], refused: [] }, now, ask)).toEqual({
      orphans: [],
      refused: ['one: its tag rehearsal.expires-at is "next week", no time'],
    });
  });
});

test('a dead runner’s stack is an orphan, whatever its state says', async () => {
  const plan = { orphans: [orphan({ expired: false })], refused: [] };
  expect(await withoutProlonged(plan, now, extended('2026-01-01T06:00:00.000Z'))).toEqual(plan);
});

describe('the states of a backend', () => {
  const labels = { stack: 'two', run: 'two', suite: 'none', expiresAt: '2026-01-01T05:00:00.000Z' };

  test('are those without a lease, and one that can’t be read hides no other', async () => {
    const stacks = {
      names: () => Promise.resolve(['one', 'cut', 'damaged', 'two']),
      labelsOf: (name: string) =>
        name === 'two' ? Promise.resolve(labels) : Promise.reject(new StackError(`${name} is cut short`)),
    };
    const leases = {
      leases: [leaseOf('one')],
      unreadable: [{ file: '/leases/cut.json', stack: 'cut', reason: 'it is cut short' }],
    };
    expect(await readStates(stacks, leases)).toEqual({
      states: [
        { stack: 'damaged', problem: 'damaged is cut short' },
        { stack: 'two', labels },
      ],
      problems: [],
    });
  });

  test('that can’t be reached are none, and that is said', async () => {
    const stacks = {
      names: () => Promise.reject(new StackError('no such bucket')),
      labelsOf: () => Promise.resolve(undefined),
    };
    expect(await readStates(stacks, { leases: [], unreadable: [] })).toEqual({
      states: [],
      problems: ['what only the backend knows of: no such bucket'],
    });
  });
});
