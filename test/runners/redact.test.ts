import { mkdir, readFile, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { redactDeep, redactFolder } from '../../runners/redact.js';
import { temporaryFolder } from '../helpers/temporary.js';

const secret = 'hush-hush-ü';

test('a value is redacted however deep its texts are', () => {
  expect(redactDeep({ a: [{ b: `say ${secret}` }], c: 1, d: null }, [secret])).toEqual({
    a: [{ b: 'say [redacted]' }],
    c: 1,
    d: null,
  });
});

describe('a folder', () => {
  let outside: string;
  let folder: string;
  const at = (...names: string[]): string => path.join(folder, ...names);

  beforeEach(async () => {
    outside = temporaryFolder('redact');
    folder = path.join(outside, 'folder');
    await mkdir(at('deep', 'deeper'), { recursive: true });
  });

  test('loses the secret in all of its files', async () => {
    await writeFile(at('log'), `say ${secret}\n`);
    await writeFile(at('deep', 'deeper', 'trace.json'), JSON.stringify({ text: secret }));
    expect(await redactFolder(folder, [secret])).toEqual([]);
    expect(await readFile(at('log'), 'utf8')).toBe('say [redacted]\n');
    expect(await readFile(at('deep', 'deeper', 'trace.json'), 'utf8')).toBe('{"text":"[redacted]"}');
  });

  test('keeps what is no text, but for the secret in it', async () => {
    const [before, after] = [Buffer.from([0, 255, 254, 128]), Buffer.from([192, 0, 10])];
    await writeFile(at('core'), Buffer.concat([before, Buffer.from(secret), after]));
    expect(await redactFolder(folder, [secret])).toEqual([]);
    expect(await readFile(at('core'))).toEqual(Buffer.concat([before, Buffer.from('[redacted]'), after]));
  });

  test('leaves files that have no secret untouched', async () => {
    await writeFile(at('log'), 'nothing');
    await utimes(at('log'), 1, 1);
    await redactFolder(folder, [secret]);
    expect((await stat(at('log'))).mtimeMs).toBe(1000);
  });

  test("stays a project of Pulumi, whatever the services' secrets are", async () => {
    const [project, settings] = [
      'name: rehearsal\n',
      'config:\n  rehearsal:run: {id: rehearsal}\n  rehearsal:key: test-key-123\n',
    ];
    await writeFile(at('Pulumi.yaml'), project);
    await writeFile(at('Pulumi.one.yaml'), settings);
    expect(await redactFolder(folder, ['rehearsal', 'test-key-123'])).toEqual([]);
    expect(await readFile(at('Pulumi.yaml'), 'utf8')).toBe(project);
    expect(parse(await readFile(at('Pulumi.one.yaml'), 'utf8'))).toEqual({
      config: { 'rehearsal:run': { id: '[redacted]' }, 'rehearsal:key': '[redacted]' },
    });
  });

  test("has no secret in a suite's own projects either", async () => {
    await writeFile(at('deep', 'Pulumi.yaml'), `name: ${secret}\n`);
    expect(await redactFolder(folder, [secret])).toEqual([]);
    expect(await readFile(at('deep', 'Pulumi.yaml'), 'utf8')).toBe('name: [redacted]\n');
  });

  test('has no secret in settings that are no YAML', async () => {
    await writeFile(at('Pulumi.one.yaml'), `config: [${secret}\n`);
    expect(await redactFolder(folder, [secret])).toEqual([]);
    expect(await readFile(at('Pulumi.one.yaml'), 'utf8')).toBe('config: [[redacted]\n');
  });

  test('does not reach what lies outside', async () => {
    await writeFile(path.join(outside, 'own'), secret);
    await symlink(path.join(outside, 'own'), at('link'));
    await symlink(outside, at('deep', 'outside'));
    expect(await redactFolder(folder, [secret])).toEqual([]);
    expect(await readFile(path.join(outside, 'own'), 'utf8')).toBe(secret);
  });

  test('says of every file that is too large, and goes on with the others', async () => {
    for (const name of ['a', 'c']) {
      await writeFile(at(name), '');
      await truncate(at(name), 65 * 1024 * 1024);
    }
    await writeFile(at('b'), secret);
    const problem = (name: string): string =>
      `${at(name)} can't be searched for passwords, don't publish it: it has more than 64 MiB`;
    expect(await redactFolder(folder, [secret])).toEqual([problem('a'), problem('c')]);
    expect(await readFile(at('b'), 'utf8')).toBe('[redacted]');
  });

  test('that is not there is a problem too', async () => {
    expect(await redactFolder(at('nowhere'), [secret])).toEqual([
      expect.stringContaining("nowhere can't be searched for passwords"),
    ]);
  });
});
