import { describe, expect, test } from '@jest/globals';
import { marked, type Token, type Tokens } from 'marked';
import { junitReport } from '../../runners/report/junit.js';
import { markdownSummary } from '../../runners/report/summary.js';
import { terminalReport } from '../../runners/report/terminal.js';
import type { RunRecord } from '../../runners/report/record.js';
import { runRecord, suiteRecord } from './support/records.js';

const suites = {
  passed: suiteRecord({ name: 'good' }),
  failed: suiteRecord({
    name: 'bad',
    outcome: { kind: 'failed', reason: '1 of 2 tests failed' },
    tests: [
      { name: 'works', status: 'passed', durationMs: 1500 },
      { name: 'breaks', status: 'failed', durationMs: 10, failure: 'expected <1> & got 2' },
    ],
  }),
  withoutTests: suiteRecord({
    name: 'empty',
    outcome: { kind: 'failed', reason: 'no test was run' },
    tests: [],
  }),
  errored: suiteRecord({
    name: 'broken',
    outcome: { kind: 'errored', phase: 'up', message: 'no room' },
    tests: [],
    memory: { measured: false, reason: 'the environment did not come up' },
    latency: { measured: false, reason: 'the suite did not run' },
    crashes: {
      measured: true,
      value: [{ service: 'redis', kind: 'exit', exitCode: 1, evidence: 'it ended with exit code 1' }],
    },
    destruction: { kind: 'failed', message: 'locked', command: 'npm run pulumi -- destroy --stack x' },
  }),
  late: suiteRecord({ name: 'late', outcome: { kind: 'timed out', timeoutMs: 60_000 }, tests: [] }),
};

describe('JUnit report', () => {
  const casesOf = (record: RunRecord, suite: string): string => {
    const found = new RegExp(`<testsuite name="${suite}"[^]*?</testsuite>`).exec(junitReport(record));
    if (found === null) throw new Error(`no suite ${suite}`);
    return found[0];
  };

  test('has a failure for a test, with its text safe in XML', () => {
    const xml = casesOf(runRecord([suites.failed]), 'bad');
    expect(xml).toContain('tests="2" failures="1" errors="0"');
    expect(xml).toContain('<failure message="expected &lt;1> &amp; got 2"/>');
  });

  test('has the first line as the headline, all lines in the element, and nothing that XML forbids', () => {
    const failure = 'expected 1\n\u001b[31mgot 2\u001b[39m\u0000 ]]>';
    const suite = suiteRecord({
      name: 'bad',
      outcome: { kind: 'failed', reason: '1 of 1 tests failed' },
      tests: [{ name: 'a "quoted" <name> & \u0007', status: 'failed', durationMs: 1, failure }],
    });
    const xml = casesOf(runRecord([suite]), 'bad');
    expect(xml).toContain('name="a &quot;quoted&quot; &lt;name> &amp; "');
    expect(xml).toMatch(
      /<failure message="expected 1">\s*<!\[CDATA\[expected 1\ngot 2 \]\]\]\]><!\[CDATA\[>\]\]>/,
    );
    expect(xml).not.toMatch(/[^\P{Cc}\n]/u);
  });

  test('tells two crashes of one service apart', () => {
    const [first, second] = (['killed', 'unhealthy'] as const).map((kind) => ({
      service: 'redis',
      kind,
      evidence: 'seen',
    }));
    if (first === undefined || second === undefined) throw new Error('no crash');
    const crashed = suiteRecord({ name: 'bad', crashes: { measured: true, value: [first, second] } });
    const xml = casesOf(runRecord([crashed]), 'bad');
    expect(xml).toContain('tests="3" failures="0" errors="2"');
    expect(xml).toContain('name="redis: killed"');
    expect(xml).toContain('name="redis: unhealthy"');
  });

  test('has an error for what is no test, and none for what is', () => {
    const xml = casesOf(runRecord([suites.errored]), 'broken');
    expect(xml).toContain('tests="3" failures="0" errors="3"');
    expect(xml).toContain('<error message="up: no room"/>');
    expect(xml).toContain('name="redis: exit"');
    expect(xml).toContain('<error message="locked"/>');
  });

  test.each([
    ['a suite that failed without a failed test', suites.withoutTests, 'empty', 'no test was run'],
    ['a suite that took too long', suites.late, 'late', 'the suite did not end within its 60 s'],
  ])('has a failure for %s', (_, suite, name, message) => {
    const xml = casesOf(runRecord([suite]), name);
    expect(xml).toContain('tests="1" failures="1" errors="0"');
    expect(xml).toContain(`<failure message="${message}"/>`);
  });

  test('has host, limits and peaks as properties', () => {
    const xml = casesOf(runRecord([suites.passed]), 'good');
    expect(xml).toContain(
      'name="host" value="Debian GNU/Linux 12 (bookworm), Docker Engine 20.10.24, 24000 MiB"',
    );
    expect(xml).toContain('name="limit.backend" value="512 MiB"');
    expect(xml).toContain('name="peak" value="600.0 MiB"');
    expect(xml).toContain('name="peak.backend" value="200.0 MiB"');
    expect(xml).toContain('name="idle.backend" value="120.0 MiB"');
    expect(xml).toContain('name="perUser.backend" value="8.0 MiB"');
    expect(xml).toContain('name="peakWithPageCache.backend" value="260.0 MiB"');
    expect(xml).toContain('name="runner.peak" value="120.0 MiB"');
  });

  test('calls each metric the same in each run, whatever its figure', () => {
    const xml = casesOf(runRecord([suites.passed]), 'verdict');
    expect(xml).toMatch(
      /<testcase classname="verdict" name="event delivery, p99">\s*<system-out>\s*<!\[CDATA\[20\.0 ms \(limit < 100 ms\)\]\]>/,
    );
  });

  test('has each metric, and fails those that are not ok', () => {
    const xml = casesOf(runRecord([suites.errored]), 'verdict');
    expect(xml).toContain('<failure message="0 of 1 (limit all): broken: failed" type="failed"/>');
    expect(xml).toMatch(/<error message="[^"]*broken errored[^"]*" type="not proven"\/>/);
  });
});

describe('terminal report', () => {
  test('of a good run ends with GO and the place of the artifacts', () => {
    const text = terminalReport(runRecord([suites.passed]), '/artifacts');
    expect(text).toMatch(/\n\nGO: every metric was measured and holds\n\nArtifacts: \/artifacts$/);
    expect(text).not.toContain('NO-GO');
  });

  test('of a bad run names what failed, why, and how to finish', () => {
    const text = terminalReport(runRecord(Object.values(suites)), '/artifacts');
    expect(text).toContain('  suite failed: 1 of 2 tests failed\n  failed: breaks\n  expected <1> & got 2');
    expect(text).toContain('  harness error (up): no room\n');
    expect(text).toContain('  redis: exit, it ended with exit code 1\n');
    expect(text).toContain('  destroy failed: locked\n  Finish it: npm run pulumi -- destroy --stack x');
    expect(text).toContain('  suite failed: it did not end within its 60 s');
    expect(text).toMatch(/\nNO-GO: .*suites pass: failed.*everything destroyed: failed/);
  });

  test('shows the highest peak of a service over all suites beside its limit', () => {
    const higher = suiteRecord({
      name: 'heavy',
      memory: {
        measured: true,
        value: {
          sampleCount: 1,
          peakMb: 1,
          gaps: [],
          services: { backend: { limitMb: 512, baselineMb: 83, peakMb: 333, kernelPeakMb: 340 } },
        },
      },
    });
    const text = terminalReport(runRecord([suites.passed, higher]), '/artifacts');
    expect(text).toMatch(/│ backend +│ +83 │ +25\.0 │ +333 │ +heavy │ +340 │ +512 │/);
    expect(text).toMatch(/│ redis +│ +\? │ +\? │ +40 │ +good │ +\? │ +96 │/);
    expect(text).toContain("The runner's own process used 120 MiB at most.");
  });

  test('names an OOM kill with its limit, its peaks and its suite, and how soon the suite ended', () => {
    const oom = suiteRecord({
      name: 'heavy',
      crashes: {
        measured: true,
        value: [
          {
            service: 'backend',
            kind: 'oom',
            exitCode: 137,
            evidence: 'the engine reported an OOM kill in it',
            memory: { limitMb: 512, peakMb: 480, kernelPeakMb: 512 },
          },
        ],
      },
      fault: {
        at: '2026-01-02T03:04:05.000Z',
        service: 'backend',
        what: 'it ended with exit code 137',
        endedAfterMs: 123.4,
      },
    });
    const text = terminalReport(runRecord([oom]), '/artifacts');
    const what =
      'the engine reported an OOM kill in it, exit code 137; ' +
      "limit 512 MiB, sampled peak 480 MiB, the kernel's peak with page cache 512 MiB";
    expect(text).toContain(`heavy:\n  backend: oom, ${what}\n`);
    expect(text).toContain("what was under way ended 123 ms after the engine's event: backend: it ended");
    expect(runRecord([oom]).verdict.metrics).toContainEqual(
      expect.objectContaining({ result: 'failed', reason: `heavy: backend oom (${what})` }),
    );
  });

  test('tells how to look at what was kept and how to remove what was left', () => {
    const until = '2026-01-01T02:00:00Z';
    const kept = suiteRecord({ destruction: { kind: 'kept', command: 'npm run pulumi -- destroy', until } });
    const left = suiteRecord({
      destruction: {
        kind: 'left over',
        leftovers: [
          { kind: 'network', name: 'net' },
          { kind: 'container', name: 'box' },
        ],
      },
    });
    const text = terminalReport(runRecord([kept, left]), '/artifacts');
    const stack = 'main-abc-chat';
    for (const line of [
      `It stays until ${until}; the next run, or npm run rehearsal -- gc, destroys it after that`,
      `docker ps --all --filter label=rehearsal.stack=${stack}`,
      `npm run pulumi -- stack output endpoints --show-secrets --stack ${stack}`,
      `npm run rehearsal -- test --stack ${stack} --suite chat`,
      `npm run rehearsal -- up --stack ${stack} --ttl 4h`,
      'Destroy it: npm run pulumi -- destroy',
    ]) {
      expect(text).toContain(line);
      expect(decode(markdownSummary(runRecord([kept])))).toContain(line);
    }
    const atUp = { ...kept, outcome: { kind: 'errored' as const, phase: 'up' as const, message: 'no room' } };
    const withoutOutputs = terminalReport(runRecord([atUp]), '/artifacts');
    expect(withoutOutputs).toContain('docker ps');
    expect(withoutOutputs).not.toContain('stack output');
    expect(withoutOutputs).not.toContain('rehearsal -- test');
    expect(text).toContain('docker network rm net');
    expect(text).toContain('docker container rm --force box');
  });

  test('has no colours', () => {
    expect(terminalReport(runRecord(Object.values(suites)), '/artifacts')).not.toContain('\u001b[');
  });
});

/** What a reader sees where the summary has entities. */
function decode(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)));
}

describe('Markdown summary', () => {
  /** What a reader sees, block by block, the HTML among it. */
  const parse = (record: RunRecord): Token[] => marked.lexer(markdownSummary(record));
  const tablesOf = (record: RunRecord): Tokens.Table[] =>
    parse(record).filter((token): token is Tokens.Table => token.type === 'table');
  const cellsOf = ({ rows }: Tokens.Table): string[][] =>
    rows.map((row) => row.map(({ text }) => decode(text)));
  test('begins with the verdict and has every metric, suite and service', () => {
    const record = runRecord([suites.passed]);
    expect(parse(record)[0]).toMatchObject({
      type: 'heading',
      text: 'GO: every metric was measured and holds',
    });
    const [metrics, ran, memory, peaks] = tablesOf(record).map(cellsOf);
    expect(metrics).toContainEqual(['event delivery, p99', '20.0 ms', '< 100 ms', 'ok', '']);
    expect(ran).toEqual([expect.arrayContaining(['good', 'passed', '1/1', '600', '20.0'])]);
    expect(memory).toContainEqual(['backend', '120', '8.0', '200', 'good', '260', '512']);
    expect(peaks).toContainEqual(['backend', '200']);
    expect(peaks).toContainEqual(['all at the same time', '600']);
    expect(markdownSummary(record)).not.toContain('###');
  });

  test('names what did not pass, with its evidence', () => {
    const text = decode(markdownSummary(runRecord(Object.values(suites))));
    expect(text).toMatch(/^## NO-GO: .*suites pass: failed/);
    expect(text).toContain(
      '### bad\n\n- suite failed: 1 of 2 tests failed\n\n<details><summary>failed: breaks',
    );
    expect(text).toContain('- harness error (up): no room');
    expect(text).toContain('- redis: exit, it ended with exit code 1');
    expect(text).toContain('- Finish it: npm run pulumi -- destroy --stack x');
    expect(text).toContain('Logs and samples: chat/');
    expect(text).not.toContain('### good');
  });

  const nasty = [
    'a | b `code` **bold** _it_ ~~no~~ [link](http://x) ![i](y) <script>alert(1)</script> </summary></details>',
    '# no heading',
    '```',
    '| - | - |',
    '&lt; &#60; \\ $x$ @somebody #1 \u0000 \u001b[31mred',
  ];

  test.each(nasty)('is not broken by %j', (name) => {
    const failure = `${name}\n\n${name}\n</pre></details>\n\n# heading\n`;
    const bad = suiteRecord({
      name: 'bad',
      outcome: { kind: 'failed', reason: `${name}\n\n${failure}` },
      tests: [{ name, status: 'failed', durationMs: 1, failure }],
      problems: [name],
    });
    const lost = suiteRecord({ name, latency: { measured: false, reason: name } });
    const record = runRecord([bad, lost]);
    const tokens = parse(record);
    expect(tokens.filter(({ type }) => type === 'heading').length).toBe(2);
    expect(tablesOf(record).map(({ header, rows }) => [header.length, rows.length])).toEqual([
      [5, 7],
      [12, 2],
      [7, 8],
      [3, 10],
    ]);
    const tags = [...marked.parser(tokens).matchAll(/<\/?([a-z0-9]+)/g)].map(([, tag]) => tag);
    const known = ['h2', 'h3', 'p', 'br', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'ul', 'li'];
    expect([...new Set(tags)].sort()).toEqual([...known, 'details', 'pre', 'summary'].sort());
    for (const tag of ['details', 'summary', 'pre']) {
      expect(tags.filter((each) => each === tag).length % 2).toBe(0);
    }
  });

  test('keeps far below what GitHub takes, the verdict first', () => {
    const tests = Array.from({ length: 2_000 }, (_, index) => ({
      name: `test ${String(index)}`,
      status: 'failed' as const,
      durationMs: 1,
      failure: '€'.repeat(20_000),
    }));
    const text = markdownSummary(
      runRecord([suiteRecord({ outcome: { kind: 'failed', reason: 'all' }, tests })]),
    );
    expect(Buffer.byteLength(text)).toBeLessThan(300 * 1024);
    expect(text).toMatch(/^## NO-GO/);
    expect(text).toContain('… (cut: the rest is in record.json)');
    expect(text.match(/<details>/g)?.length).toBe(text.match(/<\/details>/g)?.length);
  });
});
