import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import type { ServiceName } from '../../components/services.js';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { dockerEngine } from '../../runners/docker.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { runRecordSchema } from '../../runners/report/record.js';
import { artifactsOf, runCli } from '../helpers/cli.js';

const timeoutMs = 5 * 60_000;
const suite = 'write-review-refine';

/** Speaks the registry protocol as far as "there is no such image" goes. */
let registry: Server;
let registryAddress: string;

beforeAll(async () => {
  registry = createServer(({ url }, response) => {
    const found = url === '/v2/';
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
    response.end(found ? '{}' : '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
  });
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  registryAddress = `127.0.0.1:${String((registry.address() as AddressInfo).port)}`;
});

afterAll(() => {
  registry.close();
});

interface Case {
  about: string;
  service: ServiceName;
  override: () => object;
  /** What the error has to name besides the service. */
  says: () => (string | RegExp)[];
}

const cases: Case[] = [
  {
    about: 'an image of a registry that nobody reaches',
    service: 'redis',
    override: () => ({ image: 'nonesuch.invalid/redis:1' }),
    says: () => ['nonesuch.invalid/redis:1'],
  },
  {
    about: 'an image that its registry does not have',
    service: 'redis',
    override: () => ({ image: `${registryAddress}/shop/redis:1` }),
    says: () => [`${registryAddress}/shop/redis:1`, /not found|manifest unknown/],
  },
  {
    about: "a health check whose command isn't in the image",
    service: 'redis',
    override: () => ({ healthCheck: { command: ['no-such-probe', '--now'] } }),
    says: () => ['no-such-probe', 'not found'],
  },
  {
    about: 'a health check that never succeeds',
    service: 'redis',
    override: () => ({
      healthCheck: { command: ['false'], intervalSeconds: 1, retries: 2, startPeriodSeconds: 0 },
    }),
    says: () => ['unhealthy'],
  },
  {
    about: 'a container that ends at once',
    service: 'llm',
    override: () => ({ command: ['sh', '-c', 'echo no model here; exit 3'] }),
    says: () => ['exit code 3', 'no model here'],
  },
  {
    about: 'a container that ends before it is ready',
    service: 'llm',
    override: () => ({ command: ['sh', '-c', 'echo loading the model; sleep 2; exit 4'] }),
    says: () => ['exit code 4', 'loading the model'],
  },
  {
    about: 'a port that is taken',
    service: 'llm',
    override: () => ({
      command: ['node', '-e', 'require("net").createServer().listen(8082, () => import("/app/llm.mjs"))'],
    }),
    says: () => ['EADDRINUSE', '8082'],
  },
];

describe('an environment that does not come up because of', () => {
  test.each(cases)(
    '$about is one clear error of the harness, and nothing is left',
    async ({ service, override, says }) => {
      const result = await runCli({
        args: ['--suite', suite],
        settings: stringify({
          config: { 'rehearsal:profile': 'small', 'rehearsal:services': { [service]: override() } },
        }),
      });
      const text = await readFile(path.join(artifactsOf(result), 'record.json'), 'utf8');
      const record = runRecordSchema.parse(JSON.parse(text));
      const { outcome, destruction } = record.suites[0] ?? {};
      expect(outcome).toMatchObject({ kind: 'errored', phase: 'up' });
      const { message } = outcome as { message: string };
      for (const part of [service, ...says()]) {
        expect(message).toEqual(
          typeof part === 'string' ? expect.stringContaining(part) : expect.stringMatching(part),
        );
      }
      expect(destruction).toEqual({ kind: 'destroyed' });
      expect(result.exitCode).toBe(exitCodes.harnessError);
      const engine = dockerEngine(connectDocker(resolveDockerHost()));
      expect(await engine.leftovers({ runId: record.runId, suite })).toEqual([]);
      expect(result.stateFiles).toEqual([]);
    },
    timeoutMs,
  );
});
