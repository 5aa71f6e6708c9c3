import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { checkout } from '../../engine/state.js';
import { waitUntil } from '../../engine/wait.js';
import { StackError, StackLockedError } from '../../runners/pulumi.js';
import { pulumiStacks, type Stack } from '../../runners/stack.js';
import { temporaryFolder } from '../helpers/temporary.js';

const cli = path.join(checkout, 'test', 'fixtures', 'pulumi.mjs');
/** Of no use to the fixture: it never asks for it. */
const idleProgram = path.join(checkout, 'test', 'fixtures', 'program.cjs');
const control = { timeoutMs: 60_000, onLine: () => undefined };

interface Call {
  args: string[];
  cwd: string;
}

async function fixture(behaviour: string, more: Record<string, string> = {}, programSource = idleProgram) {
  const project = temporaryFolder('project');
  await writeFile(path.join(project, 'Pulumi.yaml'), 'name: rehearsal\nruntime: nodejs\nmain: index.ts\n');
  const folder = path.join(project, 'runs', 'one');
  const program = path.join(project, 'program.cjs');
  await copyFile(programSource, program);
  const callsFile = path.join(project, 'calls');
  const env = {
    PATH: process.env['PATH'],
    PULUMI_BACKEND_URL: pathToFileURL(path.join(project, 'state')).href,
    PULUMI_FIXTURE: behaviour,
    PULUMI_FIXTURE_CALLS: callsFile,
    ...more,
  };
  const stacks = pulumiStacks(cli, env, project, () => Promise.resolve(program));
  const create = (): Promise<Stack> =>
    stacks.create({ name: 'main-abc-one', folder, settings: { config: { 'rehearsal:profile': 'small' } } });
  const calls = async (): Promise<Call[]> =>
    (await readFile(callsFile, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Call);
  return { project, folder, create, calls, stacks };
}

/** As the CLI does at its first use of the folder. */
async function layOutStates(project: string): Promise<void> {
  const folder = path.join(project, 'state', '.pulumi');
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'meta.yaml'), 'version: 1\n');
}

describe('a stack', () => {
  test("has a project of its own that points to the checkout's program, and its settings for the owner only", async () => {
    const { project, folder, create } = await fixture('');
    await create();
    expect(parse(await readFile(path.join(folder, 'Pulumi.yaml'), 'utf8'))).toEqual({
      name: 'rehearsal',
      runtime: 'nodejs',
      main: `${project}/`,
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
    expect((await calls()).at(-1)?.args).toEqual(
      expect.arrayContaining([
        'destroy',
        '--remove',
        '--client',
        expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      ]),
    );
  });

  test('is made without the CLI where that has laid out the folder of states, unless a secrets provider is set', async () => {
    const { project, folder, create, calls, stacks } = await fixture('', { PULUMI_CONFIG_PASSPHRASE: '' });
    await layOutStates(project);
    const stack = await create();
    await stacks.create({ name: 'other', folder, settings: { secretsprovider: 'awskms://key', config: {} } });
    await stack.destroy(control);
    expect((await calls()).map(({ args }) => args.slice(0, 3))).toEqual([
      ['stack', 'init', 'other'],
      ['destroy', '--stack', 'main-abc-one'],
    ]);
  });

  test('without a passphrase that can be read is left to the CLI, which says what is wrong', async () => {
    const { project, create } = await fixture('no backend', { PULUMI_CONFIG_PASSPHRASE_FILE: '/nowhere' });
    await layOutStates(project);
    await expect(create()).rejects.toThrow('pulumi stack init failed');
    await expect(readdir(path.join(project, 'state', '.pulumi'))).resolves.toEqual(['meta.yaml']);
  });

  test("that can't be made says why", async () => {
    const { create } = await fixture('no backend');
    await expect(create()).rejects.toThrow(new StackError('pulumi stack init failed: error: no backend'));
  });

  test('whose program ends before its time says so, whatever the CLI makes of it', async () => {
    const ending = path.join(temporaryFolder('program'), 'ending.cjs');
    await writeFile(ending, 'process.exitCode = 3;');
    const { project, folder, create } = await fixture('fails', {}, ending);
    const stack = await create();
    const isOver = async (): Promise<boolean> =>
      // What V8 has compiled is kept at the end.
      (await readdir(project)).some((name) => name.endsWith('.cache'));
    await waitUntil(isOver, Boolean, { what: 'the end of the program', deadlineMs: 30_000, intervalMs: 10 });
    await expect(stack.up(control)).rejects.toThrow(
      /^the process that runs the Pulumi program ended with exit code 3; see .*program\.log\npulumi up ended with exit code 255\n/,
    );
    expect(await readFile(path.join(folder, 'program.log'), 'utf8')).toBe('');
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
    const isCalled = async (): Promise<boolean> => (await calls()).some(({ args }) => args[0] === 'up');
    const called = waitUntil(isCalled, Boolean, { what: 'up', deadlineMs: 30_000, intervalMs: 20 });
    const mayStart = called.then(() => undefined);
    await expect(stack.up({ ...control, timeoutMs: 1_000, mayStart })).rejects.toThrow(
      'pulumi up did not end within its 1 s\nSIGINT ignored\nSIGTERM ignored',
    );
    await stack.destroy(control);
    expect((await calls()).map(({ args }) => args[0])).toEqual(['stack', 'up', 'cancel', 'destroy']);
  }, 120_000);

  test('whose containers may not start yet has its whole time from when they may', async () => {
    const { create } = await fixture('hangs');
    const stack = await create();
    const start = new AbortController();
    const mayStart = once(start.signal, 'abort').then(() => undefined);
    const ended: string[] = [];
    const up = stack.up({ ...control, timeoutMs: 100, mayStart }).catch((error: unknown) => {
      ended.push(String(error));
    });
    await sleep(1_000);
    expect(ended).toEqual([]);
    start.abort();
    await up;
    expect(ended).toEqual([expect.stringContaining('pulumi up did not end within its 0.1 s')]);
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

describe('a lock on a stack', () => {
  const name = 'main-abc-one';

  /** As a process of Pulumi leaves it, which is alive until the test ends it. */
  async function locked(project: string) {
    const program = path.join(project, 'pulumi');
    await copyFile('/bin/sleep', program);
    const holder = spawn(program, ['60']);
    await once(holder, 'spawn');
    const folder = path.join(project, 'state', '.pulumi', 'locks', 'organization', 'rehearsal', name);
    await mkdir(folder, { recursive: true });
    const lock = { pid: holder.pid, hostname: hostname() };
    await writeFile(path.join(folder, 'one.json'), JSON.stringify(lock));
    return {
      pid: String(holder.pid),
      end: async () => {
        holder.kill();
        await once(holder, 'exit');
      },
    };
  }
  const verbs = (calls: Call[]): string[] => calls.map(({ args }) => args[0] ?? '');

  test('that a dead process holds keeps nobody from bringing it up or destroying it', async () => {
    const { stacks, calls, folder, project } = await fixture('');
    const { end } = await locked(project);
    await end();
    const stack = await stacks.adopt({ name, folder, lockIsDead: false });
    await stack.destroy(control);
    await stacks.open({ name, project, logFolder: folder, config: {} });
    expect(verbs(await calls())).toEqual(['cancel', 'destroy', 'stack', 'cancel']);
  });

  test('that a living process holds is left to it, also by those who take him for dead', async () => {
    const { stacks, folder, project } = await fixture('');
    const { end, pid } = await locked(project);
    const refusal = new StackLockedError(`stack ${name} is locked: process ${pid} is at work on it`);
    try {
      for (const lockIsDead of [false, true]) {
        await expect(stacks.adopt({ name, folder, lockIsDead })).rejects.toThrow(refusal);
      }
      await expect(stacks.open({ name, project, logFolder: folder, config: {} })).rejects.toThrow(refusal);
    } finally {
      await end();
    }
  });

  test('of which nothing is known is broken only for those who take its holder for dead', async () => {
    const { stacks, calls, folder } = await fixture('');
    await stacks.adopt({ name, folder, lockIsDead: true });
    const stack = await stacks.adopt({ name, folder, lockIsDead: false });
    await stack.destroy(control);
    expect(verbs(await calls())).toEqual(['cancel', 'destroy']);
  });
});

describe('an extension', () => {
  test('is kept with the stack, under the name of the label over which it wins', async () => {
    const { stacks, calls } = await fixture('');
    await stacks.extend('dev', '2026-01-01T00:00:00.000Z');
    expect((await calls())[0]?.args.slice(0, 5)).toEqual([
      ...['stack', 'tag', 'set', 'rehearsal.expires-at', '2026-01-01T00:00:00.000Z'],
    ]);
  });

  test('is there only when somebody prolonged the stack', async () => {
    const [one, other] = [await fixture('prolonged'), await fixture('')];
    expect(await one.stacks.extensionOf('dev')).toBe('2026-01-01T00:00:00.000Z');
    expect(await other.stacks.extensionOf('dev')).toBeUndefined();
  });
});

describe('a damaged state among others', () => {
  /** A backend with the stacks `one`, which is damaged, and `two`. */
  async function damaged() {
    const backend = temporaryFolder('backend');
    const states = path.join(backend, '.pulumi', 'stacks', 'rehearsal');
    await mkdir(states, { recursive: true });
    for (const name of ['one.json', 'one.json.bak', 'two.json', 'two.json.attrs']) {
      await writeFile(path.join(states, name), '');
    }
    const { stacks } = await fixture('damaged', { PULUMI_BACKEND_URL: pathToFileURL(backend).href });
    return { stacks, file: path.join(states, 'one.json') };
  }

  test('is named by its file, with where the state before it is', async () => {
    const { stacks, file } = await damaged();
    await expect(stacks.labelsOf('one')).rejects.toThrow(
      `${file} can't be read: pulumi stack export failed: error: unexpected end of JSON input; ` +
        `the state before it is in ${file}.bak`,
    );
  });

  test('hides no other one, nor itself', async () => {
    const { stacks } = await damaged();
    expect(await stacks.names()).toEqual(['one', 'two']);
    expect(await stacks.labelsOf('two')).toBeUndefined();
  });

  test('is in Pulumi’s own words where the backend is no folder', async () => {
    const { stacks } = await fixture('damaged', { PULUMI_BACKEND_URL: 's3://bucket' });
    await expect(stacks.names()).rejects.toThrow(
      new StackError('pulumi stack ls failed: error: unexpected end of JSON input'),
    );
  });
});
