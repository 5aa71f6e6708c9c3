import { describe, expect, test } from '@jest/globals';
import { newRunId, slugOf, stackName } from '../../runners/names.js';

describe('slug of a branch', () => {
  test('is the name itself where it can be', () => {
    expect(slugOf('fix-login')).toBe('fix-login');
  });

  test.each(['feature/Login', 'ünïcödé', '---', 'a'.repeat(200), 'main; rm -rf /', '../..', '🙂'])(
    'of %j is safe',
    (branch) => {
      expect(slugOf(branch)).toMatch(/^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$/);
    },
  );

  test('differs for branches that differ only in what is left out', () => {
    const slugs = [
      'feature/a',
      'feature-a',
      'feature_a',
      'Feature/a',
      `${'a'.repeat(30)}1`,
      `${'a'.repeat(30)}2`,
    ].map(slugOf);
    expect(new Set(slugs).size).toBe(slugs.length);
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

test('the longest stack name fits a host name', () => {
  const name = stackName(slugOf('b'.repeat(200)), newRunId(1.8e12), 's'.repeat(63));
  expect(name.length).toBeLessThanOrEqual(63);
});
