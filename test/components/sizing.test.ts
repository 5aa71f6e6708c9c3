import { describe, expect, test } from '@jest/globals';
import { parseConfig, resolveEnvironment } from '../../components/config.js';
import { hostProblems, hostReserveMb } from '../../components/sizing.js';

const specOf = (profile: string) =>
  resolveEnvironment(parseConfig({ 'rehearsal:profile': profile }, 'the test'), 'the test');

describe('hostProblems', () => {
  test('accepts a host with just enough memory', () => {
    expect(hostProblems(specOf('standard'), 13696 + hostReserveMb)).toEqual([]);
  });

  test('refuses one MiB less, and offers the small profile where that fits', () => {
    const [problem] = hostProblems(specOf('standard'), 13696 + hostReserveMb - 1);
    expect(problem).toContain('13696 MiB');
    expect(problem).toContain('14719 MiB');
    expect(problem).toContain('--profile small');
  });

  test("doesn't offer what wouldn't fit either", () => {
    expect(hostProblems(specOf('standard'), 1024)[0]).not.toContain('--profile small');
    expect(hostProblems(specOf('small'), 1024)[0]).not.toContain('--profile small');
  });

  test("reckons with limits and a budget of the settings' own, which hold for the small profile, too", () => {
    const backend = {
      'rehearsal:profile': 'standard',
      'rehearsal:services': '{"backend":{"memoryMb":3000}}',
    };
    const spec = (config: Record<string, string>) =>
      resolveEnvironment(parseConfig({ ...backend, ...config }, 'the test'), 'the test');
    expect(hostProblems(spec({}), 8192)[0]).not.toContain('--profile small');
    expect(hostProblems(spec({ 'rehearsal:budgetMb': '14000' }), 8192)[0]).toContain('small (4200 MiB)');
    expect(hostProblems(spec({ 'rehearsal:budgetMb': '14000' }), 4096)[0]).not.toContain('--profile small');
  });
});
