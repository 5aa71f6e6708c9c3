import { describe, expect, test } from '@jest/globals';
import { labelKeys } from '../../components/labels.js';
import type { Labelled } from '../../runners/docker.js';
import { planGc, type GcPlan, type StackInState } from '../../runners/gc-plan.js';
import type { Lease, UnreadableLease } from '../../runners/leases.js';
import type { Moment } from '../../runners/moment.js';
import type { StackLabels } from '../../runners/stack-state.js';
import { leaseOf as anyLease } from './support/leases.js';

const hourS = 3600;
/** Made five hours ago, for four. */
const leaseOf = (stack: string, changes: Partial<Lease> = {}): Lease =>
  anyLease(stack, {
    madeAt: '2026-01-01T00:00:00.000Z',
    expiresAt: '2026-01-01T04:00:00.000Z',
    ...changes,
  });
const now: Moment = { atMs: Date.parse('2026-01-01T05:00:00Z'), uptimeS: 5 * hourS, bootId: 'boot' };
const [expired, unexpired] = ['2026-01-01T04:59:59.000Z', '2026-01-01T05:00:01.000Z'];

const overSince = (time: string): string => `it was to live until ${time}`;

interface Setup {
  leases?: Lease[];
  unreadable?: UnreadableLease[];
  resources?: Labelled[];
  states?: StackInState[];
  dead?: boolean;
  elsewhere?: boolean;
  unseen?: boolean;
  now?: Moment;
}

const plan = (setup: Setup): GcPlan =>
  planGc(
    {
      leases: { leases: setup.leases ?? [], unreadable: setup.unreadable ?? [] },
      resources: setup.resources ?? [],
      states: setup.states ?? [],
    },
    {
      isDead: () => setup.dead ?? false,
      isElsewhere: () => setup.elsewhere ?? false,
      isUnseen: () => setup.unseen ?? false,
    },
    setup.now ?? now,
  );
const orphans = (setup: Setup): string[] => plan(setup).orphans.map(({ stack }) => stack);

const container = (labels: Record<string, string>): Labelled => ({
  kind: 'container',
  name: 'box',
  labels: {
    [labelKeys.stack]: 'one',
    [labelKeys.run]: 'tabc123xyz',
    [labelKeys.suite]: 'chat',
    [labelKeys.expiresAt]: expired,
    ...labels,
  },
});

describe('by lease, an orphan', () => {
  test('is a stack whose runner is dead, whatever its time', () => {
    const leases = [leaseOf('one', { expiresAt: unexpired })];
    expect(plan({ leases, dead: true }).orphans).toEqual([
      expect.objectContaining({ stack: 'one', runId: 'tabc123xyz', suite: 'chat', lease: leases[0] }),
    ]);
  });

  test('is no stack with a living runner, however old it is', () => {
    expect(orphans({ leases: [leaseOf('one')], resources: [container({})] })).toEqual([]);
  });

  test('is a stack whose runner can’t be seen from here once its time is over, and named before', () => {
    expect(orphans({ leases: [leaseOf('one')], unseen: true })).toEqual(['one']);
    const { orphans: none, refused } = plan({
      leases: [leaseOf('one', { expiresAt: unexpired })],
      unseen: true,
    });
    expect(none).toEqual([]);
    expect(refused).toEqual([
      expect.stringMatching(/^one: .* can't be seen from here.* until 2026-01-01T05:00:01/),
    ]);
  });

  test('is no standing stack that has time left, although who made it is gone and its label is older', () => {
    const leases = [leaseOf('one', { standing: true, expiresAt: unexpired })];
    expect(orphans({ leases, resources: [container({})], dead: true })).toEqual([]);
  });

  test('is a standing stack that has outlived its time, although its label is younger', () => {
    const leases = [leaseOf('one', { standing: true })];
    const resources = [container({ [labelKeys.expiresAt]: unexpired })];
    expect(orphans({ leases, resources })).toEqual(['one']);
  });

  test('is no standing stack whose time is over only by a clock that was set forward', () => {
    const owner = { ...leaseOf('one').owner, bootId: 'boot' };
    const leases = [leaseOf('one', { standing: true, owner, madeAtUptimeS: 4 * hourS })];
    expect(orphans({ leases })).toEqual([]);
    expect(orphans({ leases, now: { ...now, bootId: 'a later boot' } })).toEqual(['one']);
  });

  test('is nothing that another machine answers for', () => {
    const { orphans: found, refused } = plan({ leases: [leaseOf('one')], dead: true, elsewhere: true });
    expect(found).toEqual([]);
    expect(refused).toEqual([expect.stringMatching(/^one: it was made on /)]);
  });
});

describe('when the clock was set back to before anything was made', () => {
  const before: Moment = { ...now, atMs: Date.parse('2025-12-31T00:00:00Z') };

  test('no time has run out, be it by lease or by label', () => {
    const leases = [leaseOf('one', { standing: true })];
    const resources = [container({ [labelKeys.stack]: 'two' })];
    expect(plan({ leases, resources, now: before })).toEqual({ orphans: [], refused: [] });
  });

  test('what a dead runner left is collected all the same', () => {
    expect(orphans({ leases: [leaseOf('one')], dead: true, now: before })).toEqual(['one']);
  });
});

describe('by label, an orphan', () => {
  test('is a stack that has outlived its time, once', () => {
    expect(plan({ resources: [container({}), container({})] }).orphans).toEqual([
      { ...{ stack: 'one', runId: 'tabc123xyz', suite: 'chat', expired: true }, reason: overSince(expired) },
    ]);
  });

  test('is no stack that has time left', () => {
    expect(orphans({ resources: [container({ [labelKeys.expiresAt]: unexpired })] })).toEqual([]);
  });

  test.each(['tomorrow', '', '2026', '1767225600', '0', '2026-01-01T04:00:00+00:00 '])(
    'is nothing with the expiry %j',
    (expiresAt) => {
      const { orphans: found, refused } = plan({
        resources: [container({ [labelKeys.expiresAt]: expiresAt })],
      });
      expect(found).toEqual([]);
      expect(refused).toEqual([expect.stringContaining(JSON.stringify(expiresAt))]);
    },
  );

  test('is nothing that lacks one of the labels', () => {
    const labels = { [labelKeys.run]: 'tabc123xyz', [labelKeys.expiresAt]: expired };
    const { orphans: found, refused } = plan({ resources: [{ ...container({}), labels }] });
    expect(found).toEqual([]);
    expect(refused).toEqual([expect.stringContaining('container box')]);
  });
});

/** A stack in the state, by default one with the labels of `container`. */
const state = (labels: Partial<StackLabels> = {}): StackInState => ({
  stack: 'one',
  labels: { stack: 'one', run: 'tabc123xyz', suite: 'chat', expiresAt: expired, ...labels },
});

describe('by its state, an orphan', () => {
  test('is a stack that has outlived its time, although the engine has nothing of it', () => {
    expect(plan({ states: [state()] })).toEqual({
      orphans: [
        {
          ...{ stack: 'one', runId: 'tabc123xyz', suite: 'chat', expired: true },
          reason: overSince(expired),
        },
      ],
      refused: [],
    });
  });

  test('is one that the engine has, too, once', () => {
    expect(plan({ states: [state()], resources: [container({}), container({})] })).toMatchObject({
      orphans: [{ stack: 'one' }],
      refused: [],
    });
  });

  test('is no stack that has time left', () => {
    expect(plan({ states: [state({ expiresAt: unexpired })] })).toEqual({ orphans: [], refused: [] });
  });

  test('is no stack with a lease, be it one that can’t be read', () => {
    expect(orphans({ states: [state()], leases: [leaseOf('one')] })).toEqual([]);
    const unreadable = [{ file: '/leases/one.json', stack: 'one', reason: 'it is cut short' }];
    expect(orphans({ states: [state()], resources: [container({})], unreadable })).toEqual([]);
  });

  test.each<[string, StackInState, RegExp]>([
    ['has no labels', { stack: 'one', labels: undefined }, /nothing in its state says whose it is/],
    ['has another name', state({ stack: 'two' }), /its state says that it is "two"/],
    ['has no time', state({ expiresAt: 'soon' }), /the expiry "soon", no time/],
  ])('is nothing that %s', (_, found, reason) => {
    for (const resources of [[], [container({})]]) {
      expect(plan({ states: [found], resources })).toEqual({
        orphans: [],
        refused: [expect.stringMatching(reason)],
      });
    }
  });

  test('is nothing that can’t be read, but its containers are found by their labels', () => {
    const states: StackInState[] = [{ stack: 'one', problem: 'it is cut short' }];
    const refused = ["stack one: its state can't be read: it is cut short"];
    expect(plan({ states })).toEqual({ orphans: [], refused });
    expect(plan({ states, resources: [container({})] })).toMatchObject({
      orphans: [{ stack: 'one' }],
      refused,
    });
  });
});

describe('two stacks of one name', () => {
  test.each<[string, string, string]>([
    ['the state’s is over', expired, unexpired],
    ['the engine’s is over', unexpired, expired],
  ])('in state and engine are left alone when only %s', (_, inState, inEngine) => {
    const states = [state({ expiresAt: inState })];
    const resources = [container({ [labelKeys.expiresAt]: inEngine })];
    expect(plan({ states, resources })).toEqual({
      orphans: [],
      refused: [expect.stringContaining('stack one: what the engine has of it has other labels')],
    });
  });

  test('in the engine are left alone', () => {
    const resources = [container({}), container({ [labelKeys.expiresAt]: unexpired }), container({})];
    expect(plan({ resources })).toEqual({
      orphans: [],
      refused: ['container box: others of one have other labels, so there are two stacks of this name'],
    });
  });
});

test('a lease that can’t be read keeps no other stack', () => {
  const unreadable = [{ file: '/leases/one.json', stack: 'one', reason: 'it is cut short' }];
  const other = container({ [labelKeys.stack]: 'one-more' });
  expect(orphans({ unreadable, resources: [container({}), other] })).toEqual(['one-more']);
});

test('what can’t be read is left alone and named', () => {
  const unreadable = [{ file: '/leases/one.json', stack: 'one', reason: 'it is cut short' }];
  expect(plan({ unreadable })).toEqual({
    orphans: [],
    refused: ['lease /leases/one.json: it is cut short; nothing of one is collected while it is there'],
  });
});
