import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { LLMock } from '@copilotkit/aimock';
import { checkout } from '../../engine/state.js';
import { runRecordSchema } from '../../runners/report/record.js';
import { artifactsOf, runCli } from '../helpers/cli.js';
import { bridgeAddress } from './support/application.js';

test('a run with an external LLM says which one it was, and never its key', async () => {
  const apiKey = randomBytes(16).toString('hex');
  const server = new LLMock({ host: await bridgeAddress(), port: 0, auth: { apiKeys: [apiKey] } });
  await server.start();
  try {
    const tests = JSON.stringify([{ name: 'is there', status: 'passed', durationMs: 1 }]);
    const command = [process.execPath, path.join(checkout, 'test/fixtures/suites/results.mjs'), tests];
    const result = await runCli({
      args: [],
      settings: JSON.stringify({
        config: {
          'rehearsal:profile': 'small',
          'rehearsal:llm': { baseUrl: `${server.url}/v1`, model: 'another-model' },
          'rehearsal:llmApiKey': apiKey,
          'rehearsal:suites': [{ name: 'is-there', command, timeoutSeconds: 60 }],
        },
      }),
    });
    const folder = artifactsOf(result);
    const record = runRecordSchema.parse(
      JSON.parse(await readFile(path.join(folder, 'record.json'), 'utf8')),
    );
    const which = `external: another-model at ${new URL(server.url).host}`;
    expect(record.suites[0]?.outcome).toEqual({ kind: 'passed' });
    expect(record.environment.llm).toBe(which);
    expect(result.stdout).toContain(`the LLM is ${which}`);

    const files = await readdir(folder, { recursive: true, withFileTypes: true });
    const texts = await Promise.all(
      files.flatMap((file) => (file.isFile() ? readFile(path.join(file.parentPath, file.name), 'utf8') : [])),
    );
    expect([...texts, result.stdout, result.stderr].some((text) => text.includes(apiKey))).toBe(false);
  } finally {
    await server.stop();
  }
}, 300_000);
