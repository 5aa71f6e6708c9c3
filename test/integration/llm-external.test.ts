import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LLMock } from '@copilotkit/aimock';
import { checkout } from '../../engine/state.js';
import { bridgeAddress, request, startApplication, type Application } from './support/application.js';

/**
 * The stand-in LLM replaced by configuration alone: an independent implementation of OpenAI's protocol, which
 * checks the key, answers the backend as it is.
 */
const model = 'another-model';
const apiKey = randomBytes(16).toString('hex');

let server: LLMock;
let app: Application;

beforeAll(async () => {
  server = new LLMock({ host: await bridgeAddress(), port: 0, auth: { apiKeys: [apiKey] } });
  server.on({ model, userMessage: 'capital of France' }, { content: 'Paris, as a server of its own says.' });
  server.on({ model, userMessage: 'six by seven', hasToolResult: true }, { content: 'The tool was right.' });
  server.on(
    { model, userMessage: 'six by seven', hasToolResult: false },
    { toolCalls: [{ name: 'calculator', arguments: '{"expression":"6 * 7"}' }] },
  );
  server.on({ model, userMessage: 'too much' }, { error: { message: 'over quota' }, status: 429 });
  await server.start();
  app = await startApplication('llm', {
    'rehearsal:llm': { baseUrl: `${server.url}/v1`, model },
    'rehearsal:llmApiKey': apiKey,
  });
}, 600_000);
afterAll(async () => {
  await app.stop();
  await server.stop();
}, 300_000);

describe('another OpenAI-compatible server', () => {
  test('is ready, and named in the outputs', async () => {
    expect(await app.health()).toMatchObject({ status: 200, body: { llm: 'ok' } });
    expect(app.outputs.llm).toEqual({ kind: 'external', baseUrl: `${server.url}/v1`, model });
  });

  test('refuses whoever has not got its key', async () => {
    expect(await request('GET', `${server.url}/v1/models`, { token: 'not the key' })).toMatchObject({
      status: 401,
    });
  });

  test('answers with text', async () => {
    const subscriber = await app.follow(await app.newThread());
    subscriber.say('What is the capital of France?');
    const [completed] = await subscriber.seen('agent_completed');
    expect(completed?.data).toEqual({ content: 'Paris, as a server of its own says.', steps: 1 });
  });

  test('has tools called and gets their results', async () => {
    const subscriber = await app.follow(await app.newThread());
    subscriber.say('What is six by seven?');
    const [completed] = await subscriber.seen('agent_completed');
    expect(completed?.data).toEqual({ content: 'The tool was right.', steps: 2 });
    const [called] = await subscriber.seen('tool_completed');
    expect(called?.data).toMatchObject({ tool: 'calculator', ok: true, result: 42 });
    expect(JSON.stringify(server.getLastRequest()?.body)).toContain(JSON.stringify('{"result":42}'));
  });

  test('fails a run by its error', async () => {
    const subscriber = await app.follow(await app.newThread());
    subscriber.say('This is too much.');
    const [failed] = await subscriber.seen('agent_failed');
    expect(failed?.data).toEqual({ error: 'llm_error', message: 'The LLM answered with HTTP 429.' });
  });
});

test('nothing but the llm service knows the script of the stand-in', async () => {
  const sources = path.join(checkout, 'images', 'app', 'src');
  const texts = await Promise.all(
    ['auth', 'backend', 'shared'].map(async (folder) => {
      const files = await readdir(path.join(sources, folder), { recursive: true, withFileTypes: true });
      return Promise.all(
        files
          .filter((file) => file.isFile())
          .map((file) => readFile(path.join(file.parentPath, file.name), 'utf8')),
      );
    }),
  );
  const text = texts.flat().join('\n');
  expect(text).toContain('chat/completions');
  for (const marker of ['[llm:', '[revise:', 'stand-in', 'You said', 'Draft:', 'teleport', '(revision'])
    expect(text).not.toContain(marker);
});
