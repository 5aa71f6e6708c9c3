import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { findExhaustions } from '../../runners/exhaustion.js';
import { findCrashes } from '../../runners/oom.js';
import type { ServiceLog } from '../../runners/service-log.js';

const recorded = (name: string): string[] =>
  readFileSync(path.resolve(import.meta.dirname, '../fixtures/exhaustion', `${name}.log`), 'utf8').split(
    '\n',
  );

const log = (service: string, ...telling: string[]): ServiceLog => ({ service, telling, last: [] });

const time = '2026-11-24T05:09:13.000000000Z';
const at = '2026-11-24T05:09:13.000Z';
const found = (service: string, ...lines: string[]): string[] =>
  findExhaustions([log(service, ...lines.map((line) => `${time} ${line}`))]).map(
    ({ service: whose, evidence }) => `${whose}: ${evidence}`,
  );

describe('a limit of its own that a process met', () => {
  test.each([
    [
      'v8-heap',
      'backend',
      '2026-11-24T05:09:13.332Z',
      "V8's heap limit was met, its log says: FATAL ERROR: Reached heap limit Allocation failed",
    ],
    [
      'clickhouse',
      'clickhouse',
      '2026-11-24T05:09:36.695Z',
      "ClickHouse's memory limit was met, its log says: 2026.11.24 05:09:36.695551 [ 20 ]",
    ],
    [
      'postgres',
      'postgres',
      '2026-11-24T05:09:56.348Z',
      "PostgreSQL's memory was met, its log says: 2026-11-24 05:09:56.346 UTC [38] ERROR:  out of memory",
    ],
  ])('is found in the log that was recorded: %s', (name, service, when, evidence) => {
    const crashes = findExhaustions([log(service, ...recorded(name))]);
    expect(crashes).toEqual([
      { service, kind: 'exhausted', at: when, evidence: expect.stringContaining(evidence) },
    ]);
  });

  test("is Redis's when its client says so", () => {
    const reply = "ReplyError: OOM command not allowed when used memory > 'maxmemory'.";
    expect(findExhaustions([log('backend', `${time} ${reply}`)])).toEqual([
      {
        service: 'redis',
        kind: 'exhausted',
        at,
        evidence: `Redis's maxmemory was met, the log of backend says: ${reply}`,
      },
    ]);
  });

  test('is told by the first of several clients, briefly', () => {
    const reply = `OOM command not allowed when used memory > 'maxmemory'. ${'x'.repeat(10_000)}`;
    const logs = ['auth', 'backend'].map((service) => log(service, `${time} ${reply}`));
    const [crash, ...more] = findExhaustions(logs);
    expect(more).toEqual([]);
    expect(crash?.evidence).toContain('the log of auth says');
    expect(crash?.evidence.length).toBeLessThan(600);
  });

  test("is ClickHouse's when its client quotes it", () => {
    const [quote = ''] = /DB::Exception: Memory limit .*/.exec(recorded('clickhouse').join('\n')) ?? [];
    expect(found('backend', `{"level":"error","reason":"${quote}"}`)).toEqual([
      expect.stringMatching(/^clickhouse: .* the log of backend says/),
    ]);
  });

  test.each(['Memory limit (total) exceeded', '(total) memory limit exceeded'])(
    'is that of a later ClickHouse, in the words of its version: %s',
    (words) => {
      const line = `<Error> executeQuery: Code: 241. DB::Exception: ${words}: would use 2.07 GiB (attempt to allocate`;
      expect(found('clickhouse', line)).toEqual([expect.stringContaining(words)]);
    },
  );

  test('is named once, by the first line, and once for each service', () => {
    const line = 'FATAL ERROR: Ineffective mark-compacts near heap limit - JavaScript heap out of memory';
    const crashes = findExhaustions([
      log('auth', `${time} ${line}`, `2026-11-24T05:10:00.000Z ${line}`),
      log('backend', `${time} ${line}`),
    ]);
    expect(crashes.map(({ service, at: when }) => [service, when])).toEqual([
      ['auth', at],
      ['backend', at],
    ]);
  });

  test('is every one that was met, not only the first kind', () => {
    const logs = ['postgres', 'clickhouse'].map((service) => log(service, ...recorded(service)));
    expect(findExhaustions(logs).map(({ service }) => service)).toEqual(['clickhouse', 'postgres']);
  });

  test('has no time where the log has none', () => {
    const [crash] = findExhaustions([log('auth', 'x JavaScript heap out of memory')]);
    expect(crash).toEqual({ service: 'auth', kind: 'exhausted', evidence: expect.any(String) });
  });

  test.each([
    ['postgres', 'ERROR:  out of shared memory'],
    ['postgres', "STATEMENT:  select 'out of memory'"],
    ['postgres', 'LOG:  checkpoint complete: wrote 3 buffers'],
    ['clickhouse', 'Memory limit is set to 1.80 GiB'],
    ['redis', 'WARNING: maxmemory is set below the used memory'],
    ['backend', '{"level":"warn","message":"the context of user 3 is out of room"}'],
  ])('is nothing that %s says in passing: %s', (service, line) => {
    expect(found(service, line)).toEqual([]);
  });
});

test.each([134, 139])(
  'a Node process that V8 ended with exit code %i is exhausted, which is no OOM kill',
  (exitCode) => {
    const crashes = findCrashes(
      {
        events: [{ service: 'backend', action: 'die', exitCode, atMs: Date.parse(at) }],
        states: [{ service: 'backend', running: false, oomKilled: false, exitCode }],
        exhaustions: findExhaustions([log('backend', ...recorded('v8-heap'))]),
      },
      ['backend'],
    );
    expect(crashes).toMatchObject([
      {
        service: 'backend',
        kind: 'exhausted',
        exitCode,
        evidence: expect.stringContaining('Reached heap limit'),
      },
    ]);
  },
);
