import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { parse } from 'yaml';
import { mergeMaps } from '../../engine/merge.js';
import { setUp, type EngineEnvironment } from '../../engine/setup.js';
import { projectFolder } from '../../engine/stack-files.js';
import { silentProgress } from '../helpers/progress.js';
import { temporaryFolder } from '../helpers/temporary.js';

describe('the three-way merge', () => {
  const merged = (base: object, mine: object, theirs: object) =>
    mergeMaps({ config: base }, { config: mine }, { config: theirs });

  test('takes what only one side changed, added or removed', () => {
    const base = { a: 1, b: 1, c: 1, d: 1 };
    expect(merged(base, { ...base, a: 2, e: 5 }, { b: 3, a: 1, d: 1, f: 6 })).toEqual({
      value: { config: { a: 2, b: 3, d: 1, e: 5, f: 6 } },
      conflicts: [],
    });
  });

  test('goes into nested settings', () => {
    const base = { services: { redis: { memoryMb: 96 } } };
    const mine = { services: { redis: { memoryMb: 96, maxmemoryMb: 64 } } };
    const theirs = { services: { redis: { memoryMb: 128 }, llm: { memoryMb: 64 } } };
    expect(merged(base, mine, theirs).value).toEqual({
      config: { services: { redis: { memoryMb: 128, maxmemoryMb: 64 }, llm: { memoryMb: 64 } } },
    });
  });

  test('takes numbers and flags that Pulumi wrote back as strings for unchanged', () => {
    expect(merged({ ttl: 120, on: true }, { ttl: '120', on: 'true' }, { ttl: 60, on: false })).toEqual({
      value: { config: { ttl: 60, on: false } },
      conflicts: [],
    });
  });

  test('keeps the value that was set where both changed one, and says so', () => {
    expect(merged({ ttl: 120 }, { ttl: 30 }, { ttl: 60 })).toEqual({
      value: { config: { ttl: 30 } },
      conflicts: ['config.ttl'],
    });
  });
});

describe('settings that git knows', () => {
  let engine: EngineEnvironment;
  let checkout: string;
  let notes: string[];
  const inCheckout = (name: string): string => path.join(checkout, name);
  const folderOf = (stack: string): Promise<string> =>
    projectFolder(checkout, inCheckout('private'), stack, (line) => notes.push(line));
  const git = async (...args: string[]): Promise<string> =>
    (await execa('git', args, { cwd: checkout })).stdout;
  const pulumi = async (folder: string, ...args: string[]): Promise<string> => {
    const env = { ...engine.env, PULUMI_BACKEND_URL: `file://${checkout}`, PULUMI_CONFIG_PASSPHRASE: 'x' };
    return (await execa(engine.pulumi, [...args, '--non-interactive'], { cwd: folder, env, stdin: 'ignore' }))
      .stdout;
  };

  beforeAll(async () => {
    engine = await setUp({ progress: silentProgress, images: false });
  }, 900_000);
  beforeEach(async () => {
    notes = [];
    checkout = temporaryFolder('stacks');
    await git('init', '--quiet');
    await writeFile(inCheckout('.gitignore'), 'private/\n.pulumi/\nPulumi.*.yaml\n!Pulumi.ci.yaml\n');
    await writeFile(inCheckout('Pulumi.yaml'), 'name: rehearsal\nruntime: nodejs\n');
    await writeFile(
      inCheckout('Pulumi.ci.yaml'),
      'config:\n  profile: standard\n  rehearsal:ttlMinutes: 120\n',
    );
    await git('add', '.');
  });

  test('stay as they are, while values that Pulumi sets and edits of the file both take effect', async () => {
    const folder = await folderOf('ci');
    await pulumi(folder, 'stack', 'init', 'ci');
    await pulumi(folder, 'config', 'set', 'ownerName', 'somebody', '--stack', 'ci');
    await pulumi(folder, 'config', 'set', '--secret', 'key', 'hush', '--stack', 'ci');
    expect(await git('diff')).toBe('');

    await writeFile(inCheckout('Pulumi.ci.yaml'), 'config:\n  profile: small\n  rehearsal:ttlMinutes: 60\n');
    expect(await folderOf('ci')).toBe(folder);
    const values = JSON.parse(
      await pulumi(folder, 'config', '--json', '--show-secrets', '--stack', 'ci'),
    ) as object;
    expect(values).toMatchObject({
      'rehearsal:profile': { value: 'small' },
      'rehearsal:ttlMinutes': { value: '60' },
      'rehearsal:ownerName': { value: 'somebody' },
      'rehearsal:key': { value: 'hush', secret: true },
    });
    expect(notes).toEqual([]);
  }, 60_000);

  test('outlive the stack', async () => {
    const folder = await folderOf('ci');
    await pulumi(folder, 'stack', 'init', 'ci');
    await pulumi(folder, 'stack', 'rm', 'ci', '--yes');
    expect(existsSync(inCheckout('Pulumi.ci.yaml'))).toBe(true);
    const again = parse(await readFile(path.join(await folderOf('ci'), 'Pulumi.ci.yaml'), 'utf8')) as unknown;
    expect(again).toEqual({ config: { 'rehearsal:profile': 'standard', 'rehearsal:ttlMinutes': 120 } });
  }, 60_000);

  test('are not lost with a copy that was cut short while it was written', async () => {
    const copy = path.join(await folderOf('ci'), 'Pulumi.ci.yaml');
    const before = await readFile(copy, 'utf8');
    await writeFile(copy, '');
    await folderOf('ci');
    expect(await readFile(copy, 'utf8')).toBe(before);
  });

  test('are told from those of a stack of one developer, which Pulumi may write', async () => {
    expect(await folderOf('dev')).toBe(checkout);
  });

  test.each([
    ['Pulumi.yaml', 'name: rehearsal\nruntime: [nodejs\n', /^Pulumi\.yaml:3:1: not valid YAML: /],
    ['Pulumi.ci.yaml', 'config:\n  a: 1\n   b: 2\n', /^Pulumi\.ci\.yaml:2:6: not valid YAML: /],
    ['Pulumi.ci.yaml', '- profile\n', /^Pulumi\.ci\.yaml:1:1: must be a map of keys to values$/],
  ])('are refused with file and line when they are malformed: %s %j', async (file, text, message) => {
    await writeFile(inCheckout(file), text);
    await expect(folderOf('ci')).rejects.toThrow(message);
  });
});
