import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { labelKeys } from '../../components/labels.js';
import { endpointsSchema } from '../../components/outputs.js';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { checkout } from '../../engine/state.js';
import { dockerEngine } from '../../runners/docker.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { readLeases, type Lease } from '../../runners/leases.js';
import { extensionInTags } from '../../runners/stack-state.js';
import { runRecordSchema } from '../../runners/report/record.js';
import { artifactsOf, npmRun, runCli } from '../helpers/cli.js';

const timeoutMs = 10 * 60_000;
const hourMs = 3_600_000;

const leasesOf = async (name: string): Promise<Lease[]> =>
  (await readLeases()).leases.filter(({ stack }) => stack === name);

async function containersOf(stack: string): Promise<string[]> {
  const filters = { label: [`${labelKeys.stack}=${stack}`] };
  const found = await connectDocker(resolveDockerHost()).listContainers({ all: true, filters });
  return found.map(({ Id }) => Id).sort();
}

describe('an environment kept after a failure', () => {
  test(
    'can be tested again by hand, and the command that the report names destroys it',
    async () => {
      const suite = 'no-tests';
      const command = '[node, test/fixtures/suites/no-tests.mjs]';
      const result = await runCli({
        args: ['--keep-on-failure', '--ttl', '2h'],
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
      const startedMs = Date.parse(record.startedAt);
      const untilMs = Date.parse(destruction.until);
      expect(untilMs).toBeGreaterThan(startedMs + 2 * hourMs);
      expect(untilMs).toBeLessThan(startedMs + 2 * hourMs + 60_000);
      const made = await containersOf(stack);
      expect(made).toHaveLength(8);
      expect(await leasesOf(stack)).toMatchObject([{ standing: true, expiresAt: destruction.until }]);

      const addresses = /^ *Addresses and passwords: npm run (pulumi -- .*)$/m.exec(result.stdout)?.[1];
      const shown = await execa(`npm run --silent ${addresses ?? ''}`, { shell: true, cwd: checkout });
      expect(endpointsSchema.parse(JSON.parse(shown.stdout)).postgres.password).not.toBe('');
      const own = await npmRun('rehearsal', ['test', '--stack', stack]);
      expect(own.stderr).toContain(`✖ ${suite}`);
      expect(own.exitCode).toBe(exitCodes.noGo);
      const updated = await npmRun('rehearsal', ['up', '--stack', stack]);
      expect(updated.exitCode).toBe(exitCodes.error);
      expect(updated.stderr).toContain(`--stack ${stack}: a run made it`);
      const prolonged = await npmRun('rehearsal', ['up', '--stack', stack, '--ttl', '5h']);
      expect(prolonged.exitCode).toBe(exitCodes.go);
      const [lease] = await leasesOf(stack);
      expect(Date.parse(lease?.expiresAt ?? '')).toBeGreaterThan(startedMs + 5 * hourMs);
      expect(prolonged.stderr).toContain(`${stack} lives until ${lease?.expiresAt ?? ''}`);
      // The lease may be lost: what the state says keeps gc from it.
      const tags = await npmRun('pulumi', ['stack', 'tag', 'ls', '--json', '--stack', stack]);
      expect(extensionInTags(tags.stdout)).toBe(lease?.expiresAt);
      expect(await containersOf(stack)).toEqual(made);

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
      expect(await leasesOf(stack)).toEqual([]);
    },
    timeoutMs,
  );
});
