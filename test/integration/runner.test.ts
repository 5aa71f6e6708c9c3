import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { dockerEngine } from '../../runners/docker.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { runRecordSchema, type RunRecord } from '../../runners/report/record.js';
import { artifactsOf, runCli, type CliResult } from '../helpers/cli.js';

const suite = 'websocket-agent-events';
const timeoutMs = 10 * 60_000;
const engine = dockerEngine(connectDocker(resolveDockerHost()));

async function recordOf(result: CliResult): Promise<RunRecord> {
  const text = await readFile(path.join(artifactsOf(result), 'record.json'), 'utf8');
  return runRecordSchema.parse(JSON.parse(text));
}

describe('the main job with one suite', () => {
  let result: CliResult;
  let record: RunRecord;
  let folder: string;

  beforeAll(async () => {
    result = await runCli({ args: ['--profile', 'small', '--suite', suite] });
    record = await recordOf(result);
    folder = artifactsOf(result);
  }, timeoutMs);

  test('passes, and says that this is not the whole', () => {
    expect(record.suites.map(({ name, outcome }) => [name, outcome])).toEqual([[suite, { kind: 'passed' }]]);
    // How fast events are, and whether that says anything, depends on what else the machine does; that they were
    // measured does not.
    const [delivery] = record.verdict.metrics.filter(({ name }) => name === 'event delivery, p99');
    expect(record.suites[0]?.latency.measured).toBe(true);
    const others = record.verdict.metrics.filter((metric) => metric !== delivery);
    expect(others.filter(({ result: is }) => is !== 'ok').map(({ name }) => name)).toEqual([
      'every suite chosen',
    ]);
    expect(record.verdict.decision).toBe('no-go');
    expect(result.exitCode).toBe(delivery?.result === 'ok' ? exitCodes.partial : exitCodes.noGo);
    expect(result.stdout).toMatch(/^NO-GO: /m);
  });

  test('has measured the memory of every service', () => {
    const memory = record.suites[0]?.memory;
    if (memory?.measured !== true) throw new Error('the memory was not measured');
    expect(memory.value.gaps).toEqual([]);
    expect(Object.keys(memory.value.services).sort()).toEqual(
      Object.keys(record.environment.services).sort(),
    );
    for (const { peakMb, limitMb } of Object.values(memory.value.services)) {
      expect(peakMb).toBeGreaterThan(0);
      expect(peakMb).toBeLessThanOrEqual(limitMb);
    }
  });

  test('takes less than 200 MB for the runner itself', () => {
    expect(record.runner.peakRssMb).toBeGreaterThan(50);
    expect(record.runner.peakRssMb).toBeLessThan(200);
  });

  test('has left nothing behind', async () => {
    expect(await engine.leftovers({ runId: record.runId, suite })).toEqual([]);
    expect(result.stateFiles).toEqual([]);
    expect(existsSync(path.join(folder, suite, 'environment.json'))).toBe(false);
  });

  test('keeps the evidence, without a password', async () => {
    const inspected = await readFile(path.join(folder, suite, 'logs', 'postgres.json'), 'utf8');
    expect(inspected).toMatch(/"POSTGRES_PASSWORD=\[redacted\]"/);
    const files = [
      'junit.xml',
      'summary.md',
      ...['suite.log', 'results/tests.json', 'memory.jsonl', 'up.log', 'destroy.log'].map((file) =>
        path.join(suite, file),
      ),
    ];
    for (const file of files) expect(existsSync(path.join(folder, file))).toBe(true);
  });

  test('colours nothing where nobody can see it', () => {
    expect(`${result.stdout}${result.stderr}`).not.toContain('\u001b[');
  });
});

describe('an interrupted run', () => {
  test.each(['environment up', 'suite'])(
    'in the phase "%s" ends in order, with a report and nothing left',
    async (phase) => {
      let sent = false;
      const result = await runCli({
        args: ['--profile', 'small'],
        onOutput(text, kill) {
          if (sent || !text.includes(`… ${suite}: ${phase}`)) return;
          sent = true;
          kill('SIGINT');
        },
      });
      const record = await recordOf(result);
      expect(result.exitCode).toBe(exitCodes.interrupted);
      expect(record.interrupted).toBe(true);
      // While the first suite ran, the second one's environment was on its way.
      const second = phase === 'suite' ? 'interrupted' : 'not run';
      expect(record.suites.map(({ outcome }) => outcome.kind)).toEqual([
        ...['interrupted', second],
        ...Array<string>(3).fill('not run'),
      ]);
      expect(record.suites[0]?.destruction).toEqual({ kind: 'destroyed' });
      for (const { name } of record.suites) {
        expect(await engine.leftovers({ runId: record.runId, suite: name })).toEqual([]);
      }
      expect(result.stateFiles).toEqual([]);
    },
    timeoutMs,
  );
});
