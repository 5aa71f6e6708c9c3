import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { dockerEngine } from '../../runners/docker.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { runRecordSchema, type RunRecord } from '../../runners/report/record.js';
import { isAlive } from '../helpers/alive.js';
import { artifactsOf, runCli } from '../helpers/cli.js';
import { temporaryFolder } from '../helpers/temporary.js';

const suite = 'hostile';
const timeoutMs = 5 * 60_000;
const engine = dockerEngine(connectDocker(resolveDockerHost()));

const settingsFor = (...command: string[]): string =>
  stringify({
    config: {
      'rehearsal:profile': 'small',
      'rehearsal:suites': [{ name: suite, command, timeoutSeconds: 60 }],
    },
  });

async function recordIn(folder: string): Promise<RunRecord> {
  return runRecordSchema.parse(JSON.parse(await readFile(path.join(folder, 'record.json'), 'utf8')));
}

describe('the runner survives a suite that', () => {
  test(
    "kills its parent's whole group and leaves a daemon",
    async () => {
      const settings = settingsFor('node', 'test/fixtures/suites/kills-parent.mjs', 'SIGKILL', 'group');
      const result = await runCli({ args: [], settings });
      const folder = artifactsOf(result);
      const record = await recordIn(folder);
      const reason = 'the suite ended its parent process (SIGKILL)';
      expect(record.suites[0]).toMatchObject({
        outcome: { kind: 'failed', reason: expect.stringContaining(reason) },
        destruction: { kind: 'destroyed' },
      });
      expect(result.stdout).toContain(reason);
      expect(result.exitCode).toBe(exitCodes.noGo);
      const children = await readFile(path.join(folder, suite, 'results', 'children.json'), 'utf8');
      for (const pid of JSON.parse(children) as number[]) expect(await isAlive(pid)).toBe(false);
      expect(await engine.leftovers({ runId: record.runId, suite })).toEqual([]);
      expect(result.stateFiles).toEqual([]);
    },
    timeoutMs,
  );

  test(
    'fills the disk that holds the state and the artifacts',
    async () => {
      const copies = temporaryFolder('full-disk');
      // A small disk that this run alone sees. It goes with the run, so what is on it is copied first.
      const script =
        'mount -t tmpfs -o size=96m tmpfs .rehearsal && "$@"; code=$?; cp -r .rehearsal/. "$0"; exit $code';
      const result = await runCli({
        args: [],
        settings: settingsFor('node', 'test/fixtures/suites/fills-disk.mjs'),
        ownState: false,
        within: [
          ...['unshare', '--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])],
          ...['sh', '-c', script, copies],
        ],
      });
      expect(result.exitCode).toBe(exitCodes.noGo);
      const runId = path.basename(artifactsOf(result));
      const folder = path.join(copies, 'runs', runId);
      const record = await recordIn(folder);
      expect(record.suites[0]).toMatchObject({
        outcome: {
          kind: 'failed',
          reason: expect.stringMatching(/^the suite was stopped: the disk .* is full$/),
        },
        problems: [expect.stringMatching(/^\d+ MiB that the suite wrote were not kept: the disk was full$/)],
        destruction: { kind: 'destroyed' },
      });
      expect(existsSync(path.join(folder, 'junit.xml'))).toBe(true);
      expect(existsSync(path.join(folder, suite, 'results', 'pictures'))).toBe(false);
      expect(await engine.leftovers({ runId, suite })).toEqual([]);
    },
    timeoutMs,
  );

  test(
    'makes it impossible to write the record',
    async () => {
      const command = 'cd "$REHEARSAL_RESULTS/../.." && rm record.json && mkdir record.json && exit 3';
      const result = await runCli({ args: [], settings: settingsFor('sh', '-c', command) });
      expect(result.exitCode).toBe(exitCodes.noGo);
      expect(result.stdout).toContain('suite failed: the suite ended with exit code 3');
      expect(result.stderr).toMatch(/^The reports can't be written: .*record\.json/m);
      const runId = path.basename(artifactsOf(result));
      expect(await engine.leftovers({ runId, suite })).toEqual([]);
      expect(result.stateFiles).toEqual([]);
    },
    timeoutMs,
  );
});
