import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { checkout } from '../../engine/state.js';
import { dockerEngine } from '../../runners/docker.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { runRecordSchema } from '../../runners/report/record.js';
import { artifactsOf, npmRun, runCli } from '../helpers/cli.js';

const timeoutMs = 10 * 60_000;

describe('an environment kept after a failure', () => {
  test(
    'can be tested again by hand, and the command that the report names destroys it',
    async () => {
      const suite = 'no-tests';
      const command = '[node, test/fixtures/suites/no-tests.mjs]';
      const result = await runCli({
        args: ['--keep-on-failure'],
        settings: `config:\n  rehearsal:profile: small\n  rehearsal:suites: [{name: ${suite}, command: ${command}, timeoutSeconds: 60}]\n`,
        ownState: false,
      });
      expect(result.exitCode).toBe(exitCodes.noGo);
      const text = await readFile(path.join(artifactsOf(result), 'record.json'), 'utf8');
      const record = runRecordSchema.parse(JSON.parse(text));
      const { stack, destruction, outcome } = record.suites[0] ?? {};
      if (stack === undefined || destruction?.kind !== 'kept') throw new Error(`it was not kept: ${text}`);
      expect(outcome).toMatchObject({ kind: 'failed' });
      expect(result.stdout).toContain(`Destroy it: ${destruction.command}`);

      const test = await npmRun('rehearsal', ['test', '--stack', stack, '--suite', 'websocket-agent-events']);
      const unknown = await npmRun('rehearsal', ['test', '--stack', stack, '--suite', 'nope']);
      const destroyed = await execa(destruction.command, { shell: true, cwd: checkout, reject: false });

      expect(test.stderr).toContain('websocket-agent-events: 3 tests passed');
      expect(test.exitCode).toBe(exitCodes.go);
      const folder = /^Artifacts: (.+)$/m.exec(test.stderr)?.[1] ?? '';
      expect(existsSync(path.join(folder, 'websocket-agent-events', 'results', 'tests.json'))).toBe(true);
      expect(existsSync(path.join(folder, 'websocket-agent-events', 'environment.json'))).toBe(false);
      expect(unknown.stderr).toContain('--suite nope: there is no such suite');
      expect(unknown.exitCode).toBe(exitCodes.error);
      expect(destroyed.exitCode).toBe(0);
      expect(existsSync(path.join(artifactsOf(result), suite, 'environment.json'))).toBe(false);
      const engine = dockerEngine(connectDocker(resolveDockerHost()));
      expect(await engine.leftovers({ runId: record.runId, suite })).toEqual([]);
    },
    timeoutMs,
  );
});
