import { describe, expect, test } from '@jest/globals';
import { findFullDisks, inOrder, outcomeOfFault } from '../../runners/faults.js';
import type { Crash } from '../../runners/report/record.js';

const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const crash = (kind: Crash['kind'], changes: Partial<Crash> = {}): Crash => ({
  service: 'redis',
  kind,
  at: at(1),
  evidence: 'so it is',
  ...changes,
});

describe('a full disk', () => {
  test.each([
    ['postgres', 'ERROR:  could not extend file "base/16384/16425": No space left on device'],
    ['redis', '# Write error saving DB on disk: No space left on device'],
    ['clickhouse', '<Error> executeQuery: Code: 243, e.displayText() = DB::Exception: NOT_ENOUGH_SPACE'],
    ['frontend', '[crit] 7#7: *1 pwrite() "/tmp/1" failed (28: No space left on device)'],
    ['backend', '{"level":"error","err":{"code":"ENOSPC"}}'],
  ])('of %s is found in its log, with the line and its time', (service, line) => {
    const telling = [`${at(1)} ready`, `${at(2)} ${line}`, `${at(3)} ${line}`];
    expect(findFullDisks([{ service, telling, last: [] }])).toEqual([
      { service, kind: 'disk full', at: at(2), evidence: `its log says: ${line}` },
    ]);
  });

  test('is nothing that any log has', () => {
    const telling = [`${at(1)} checkpoint complete`, `${at(2)} ERROR: relation "x" does not exist`];
    expect(findFullDisks([{ service: 'postgres', telling, last: [] }])).toEqual([]);
  });
});

test('faults are put in the order of time, those without a time last', () => {
  const [first, second] = [crash('paused'), crash('exit', { at: at(2) })];
  const timeless: Crash = { service: 'llm', kind: 'gone', evidence: 'no trace' };
  expect(inOrder([timeless, second, first])).toEqual([first, second, timeless]);
});

describe('what a fault makes of its suite', () => {
  const log = { service: 'redis', telling: [], last: ['one', 'two'] };

  test.each(['exit', 'oom', 'unhealthy', 'gone'] as const)(
    'a service that is "%s" under load is a finding: the suite has failed',
    (kind) => {
      expect(outcomeOfFault('suite', [crash(kind, { exitCode: 3 })], [log])).toEqual({
        kind: 'failed',
        reason: `redis ${kind} at ${at(1)}: so it is, exit code 3\nlast log lines of redis:\n  one\n  two`,
      });
    },
  );

  test.each(['killed', 'paused', 'cut off'] as const)(
    'one that was "%s" from outside is no finding: the harness has erred',
    (kind) => {
      expect(outcomeOfFault('suite', [crash(kind)], [])).toEqual({
        kind: 'errored',
        phase: 'suite',
        message: `redis ${kind} at ${at(1)}: so it is\nlast log lines of redis:\n  (none)`,
      });
    },
  );

  test('the first one counts, all are named', () => {
    const faults = [crash('paused'), crash('exit', { service: 'backend', at: at(2) })];
    const outcome = outcomeOfFault('suite', faults, []);
    expect(outcome).toMatchObject({ kind: 'errored', message: expect.stringContaining('backend exit') });
  });

  test('before the suite runs there is no load: the harness has erred', () => {
    expect(outcomeOfFault('up', [crash('exit')], [])).toMatchObject({ kind: 'errored', phase: 'up' });
  });

  test('an OOM kill of a child alone and a full disk, which services survive, end no suite', () => {
    expect(outcomeOfFault('suite', [crash('oom'), crash('disk full')], [])).toBeUndefined();
  });
});
