import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isStackOf, newRunId, slugOf, stackName } from '../../runners/names.js';

const runs = { numRuns: 2_000 };
/** Names as people and hostile people give them, and what becomes of such names. */
const branch = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: fc.constantFrom('a', 'B', '-', '/', '.', '0', '_'), maxLength: 12 }),
  fc.string({ unit: 'grapheme', minLength: 200, maxLength: 300 }),
  fc.constantFrom('', '.', '..', '-', '--', 'con', 'NUL.txt', 'refs/pull/12/merge', 'PR 12', '🙂', 'a b\nc'),
  fc.string({ unit: 'binary', maxLength: 30 }).map(slugOf),
  fc.string({ unit: 'binary', maxLength: 30 }).map((name) => stackName(slugOf(name), runId, 'one')),
);
const suite = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/);
const runId = newRunId(1.8e12);

describe('slug of a branch', () => {
  test.each(['main', 'fix-login', 'a'.repeat(20)])('%s is the name itself', (name) => {
    expect(slugOf(name)).toBe(name);
  });

  test.each([
    ['feature/Login', 'feature'],
    ['a-much-longer-name-of-a-branch', 'a-much-l'],
    ['ünïcödé', 'n-c-d'],
    ['🙂', 'branch'],
    ['', 'branch'],
    ['PR 12', 'pr-12'],
  ])('of %j starts as it does', (name, start) => {
    expect(slugOf(name)).toMatch(new RegExp(`^${start}--[a-z0-9]{10}$`));
  });

  test('is safe, whatever the name', () => {
    fc.assert(
      fc.property(branch, (name) => {
        expect(slugOf(name)).toMatch(/^(?=.{1,20}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
      }),
      runs,
    );
  });

  test('is always the same for one branch and never for two', () => {
    fc.assert(
      fc.property(branch, branch, (one, other) => {
        expect(slugOf(one) === slugOf(other)).toBe(one === other);
      }),
      runs,
    );
  });

  test.each([
    ['what is left out', ['feature/a', 'feature-a', 'feature_a', 'Feature/a', '-feature-a', 'feature--a']],
    ['their ends', ['1', '2', ''].map((end) => `${'a'.repeat(290)}${end}`)],
    ['being the slug of the other', ['feature/a', slugOf('feature/a'), slugOf(slugOf('feature/a'))]],
    ['how a letter is composed', ['caf\u00e9', 'cafe\u0301']],
  ])('differs for branches that differ only in %s', (_, names) => {
    expect(new Set(names.map(slugOf)).size).toBe(names.length);
  });

  test('differs for 200,000 branches that all lose letters', () => {
    const slugs = new Set(Array.from({ length: 200_000 }, (_, index) => slugOf(`feature/${String(index)}`)));
    expect(slugs.size).toBe(200_000);
  });
});

describe('run id', () => {
  test('sorts by time', () => {
    const ids = [0, 1_000, 60_000, 1.8e12, 1.9e12].map(newRunId);
    expect([...ids].sort()).toEqual(ids);
  });

  test('differs within a second', () => {
    const ids = Array.from({ length: 20 }, () => newRunId(1.8e12));
    expect(new Set(ids).size).toBeGreaterThan(1);
    for (const id of ids) expect(id).toMatch(/^[a-z0-9]{10}$/);
  });
});

describe('stack name', () => {
  test('fits a label of a host name and a label of Docker, whatever the branch', () => {
    fc.assert(
      fc.property(branch, suite, (name, of) => {
        expect(stackName(slugOf(name), runId, of)).toMatch(/^(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
      }),
      runs,
    );
  });

  test('names the suite in full where it fits', () => {
    const longest = 'websocket-events-comprehensive';
    expect(stackName('main', runId, longest)).toBe(`main--${runId}-${longest}`);
  });

  test('tells whose it is', () => {
    fc.assert(
      fc.property(branch, branch, suite, (one, other, of) => {
        const name = stackName(slugOf(one), newRunId(1.8e12), of);
        expect(isStackOf(slugOf(one), name)).toBe(true);
        expect(isStackOf(slugOf(other), name)).toBe(one === other);
      }),
      runs,
    );
  });

  test.each([
    ['fix', stackName('fix-websockets', runId, 'one')],
    ['fix', stackName(slugOf('fix--'), runId, 'one')],
    ['fix', 'fix'],
    ['fix', 'fix--one'],
    ['main', 'dev'],
  ])("is none of branch %s's when it is %s", (slug, name) => {
    expect(isStackOf(slug, name)).toBe(false);
  });

  test('differs by suite, also where suites are shortened', () => {
    fc.assert(
      fc.property(suite, suite, (one, other) => {
        expect(stackName('main', runId, one) === stackName('main', runId, other)).toBe(one === other);
      }),
      runs,
    );
  });
});
