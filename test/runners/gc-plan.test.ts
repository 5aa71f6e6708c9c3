import { describe, expect, test } from '@jest/globals';
import { labelKeys } from '../../components/labels.js';
import type { Labelled } from '../../runners/docker.js';
import { planGc, type GcPlan, type Moment } from '../../runners/gc-plan.js';
import type { Lease } from '../../runners/leases.js';
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

interface Setup {
  leases?: Lease[];
  unreadable?: { file: string; reason: string }[];
  resources?: Labelled[];
  dead?: boolean;
  elsewhere?: boolean;
  now?: Moment;
}

const plan = (setup: Setup): GcPlan =>
  planGc(
    { leases: setup.leases ?? [], unreadable: setup.unreadable ?? [] },
    setup.resources ?? [],
    { isDead: () => setup.dead ?? false, isElsewhere: () => setup.elsewhere ?? false },
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
      { stack: 'one', runId: 'tabc123xyz', suite: 'chat', reason: `it was to live until ${expired}` },
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

describe('a stack whose lease can’t be read', () => {
  const file = '/leases/one.0123abcd.json';
  const unreadable = [{ file, reason: 'it is of a later version' }];

  test('is left alone although its labels say that its time is over: it may have been prolonged', () => {
    expect(plan({ unreadable, resources: [container({}), container({})] })).toEqual({
      orphans: [],
      refused: [
        `lease ${file}: it is of a later version`,
        `one: its labels say until ${expired}, but its lease can't be read; to have it collected, remove ${file}`,
      ],
    });
  });

  test('keeps no other stack', () => {
    const other = container({ [labelKeys.stack]: 'one-more' });
    expect(orphans({ unreadable, resources: [other] })).toEqual(['one-more']);
  });
});

test('what can’t be read is left alone and named', () => {
  const unreadable = [{ file: '/leases/one.json', reason: 'it is cut short' }];
  expect(plan({ unreadable })).toEqual({
    orphans: [],
    refused: ['lease /leases/one.json: it is cut short'],
  });
});
