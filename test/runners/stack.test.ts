import { mkdir, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { checkout } from '../../engine/state.js';
import { StackError } from '../../runners/pulumi.js';
import { pulumiStacks, type Stack } from '../../runners/stack.js';
import { isThere } from '../../runners/stack-list.js';

const cli = path.join(checkout, 'test', 'fixtures', 'pulumi.mjs');
const control = { timeoutMs: 60_000, onLine: () => undefined };

interface Call {
  args: string[];
  cwd: string;
}

async function fixture(behaviour: string, more: Record<string, string> = {}) {
  const project = await mkdtemp(path.join(tmpdir(), 'project-'));
  await writeFile(path.join(project, 'Pulumi.yaml'), 'name: rehearsal\nruntime: nodejs\nmain: index.ts\n');
  const folder = path.join(project, 'runs', 'one');
  const callsFile = path.join(project, 'calls');
  const env = {
    PATH: process.env['PATH'],
    PULUMI_FIXTURE: behaviour,
    PULUMI_FIXTURE_CALLS: callsFile,
    ...more,
  };
  const stacks = pulumiStacks(cli, env, project, () => Promise.resolve(path.join(project, 'program.mjs')));
  const create = (): Promise<Stack> =>
    stacks.create({ name: 'main-abc-one', folder, settings: { config: { 'rehearsal:profile': 'small' } } });
  const calls = async (): Promise<Call[]> =>
    (await readFile(callsFile, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Call);
  return { project, folder, create, calls, stacks };
}

describe('a stack', () => {
  test("has a project of its own that points to the checkout's program, and its settings for the owner only", async () => {
    const { project, folder, create } = await fixture('');
    await create();
    expect(parse(await readFile(path.join(folder, 'Pulumi.yaml'), 'utf8'))).toEqual({
      name: 'rehearsal',
      runtime: 'nodejs',
      main: path.join(project, 'program.mjs'),
    });
    const settings = path.join(folder, 'Pulumi.main-abc-one.yaml');
    expect(parse(await readFile(settings, 'utf8'))).toEqual({ config: { 'rehearsal:profile': 'small' } });
    expect((await stat(settings)).mode & 0o777).toBe(0o600);
  });

  test('works in its own folder and never asks', async () => {
    const { folder, create, calls } = await fixture('');
    const stack = await create();
    await stack.destroy(control);
    for (const { args, cwd } of await calls()) {
      expect(cwd).toBe(folder);
      expect(args).toContain('--non-interactive');
    }
  });

  test("that can't be made says why", async () => {
    const { create } = await fixture('no backend');
    await expect(create()).rejects.toThrow(new StackError('pulumi stack init failed: error: no backend'));
  });

  test("whose up fails quotes Pulumi's diagnostics and nothing else", async () => {
    const { create } = await fixture('fails');
    const stack = await create();
    await expect(stack.up(control)).rejects.toThrow(
      new StackError('pulumi up ended with exit code 255\nthing:\n    error: no room'),
    );
  });

  test('whose up hangs is ended at its deadline, and its lock does not stop the destroy', async () => {
    const { create, calls } = await fixture('hangs');
    const stack = await create();
    await expect(stack.up({ ...control, timeoutMs: 1_000 })).rejects.toThrow(
      'pulumi up did not end within its 1 s\nSIGINT ignored\nSIGTERM ignored',
    );
    await stack.destroy(control);
    expect((await calls()).map(({ args }) => args[0])).toEqual(['stack', 'up', 'cancel', 'destroy']);
  }, 120_000);

  test("that ended in order keeps others' locks", async () => {
    const { create, calls } = await fixture('fails');
    const stack = await create();
    await expect(stack.up(control)).rejects.toThrow(StackError);
    await stack.destroy(control);
    expect((await calls()).map(({ args }) => args[0])).toEqual(['stack', 'up', 'destroy']);
  });

  test('without outputs is refused with the command that brings it up', async () => {
    const { stacks } = await fixture('');
    await expect(stacks.outputsOf('dev')).rejects.toThrow(
      new StackError('stack dev is not up: npm run pulumi -- up --stack dev'),
    );
  });

  test('of something else is refused without showing its outputs', async () => {
    const { stacks } = await fixture('other outputs');
    const refusal = await stacks.outputsOf('other').catch((error: unknown) => error);
    expect(String(refusal)).toContain("the outputs of stack other aren't those of an environment");
    expect(String(refusal)).toContain('endpoints');
    expect(String(refusal)).not.toContain('hush');
  });
});

describe('a damaged state among others', () => {
  /** A backend with the stacks `one`, which is damaged, and `two`. */
  async function damaged() {
    const backend = await mkdtemp(path.join(tmpdir(), 'backend-'));
    const states = path.join(backend, '.pulumi', 'stacks', 'rehearsal');
    await mkdir(states, { recursive: true });
    for (const name of ['one.json', 'one.json.bak', 'two.json', 'two.json.attrs']) {
      await writeFile(path.join(states, name), '');
    }
    const { stacks } = await fixture('damaged', { PULUMI_BACKEND_URL: pathToFileURL(backend).href });
    return { stacks, file: path.join(states, 'one.json') };
  }

  test('spoils the list: the error names it, and where the state before it is', async () => {
    const { stacks, file } = await damaged();
    await expect(stacks.names()).rejects.toThrow(
      `the stacks can't be listed because of ${file}: pulumi stack export failed: ` +
        `error: unexpected end of JSON input (the state before it is in ${file}.bak)`,
    );
  });

  test('does not hide the others', async () => {
    const { stacks } = await damaged();
    expect(await isThere('two', stacks)).toBe(true);
    await expect(isThere('one', stacks)).rejects.toThrow("the stacks can't be listed because of");
  });

  test('is in Pulumi’s own words where the backend is no folder', async () => {
    const { stacks } = await fixture('damaged', { PULUMI_BACKEND_URL: 's3://bucket' });
    await expect(stacks.names()).rejects.toThrow(
      new StackError('pulumi stack ls failed: error: unexpected end of JSON input'),
    );
  });
});
