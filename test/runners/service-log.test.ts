import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { checkout } from '../../engine/state.js';
import { readServiceLog, saveServiceLog } from '../../runners/service-log.js';
import { temporaryFolder } from '../helpers/temporary.js';

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `line ${String(from + index)}`);

describe('what is kept of a log', () => {
  test('is the first line that says each of what is looked for, and the last twenty', async () => {
    const lines = [['a fault', 'a limit'], numbered(0, 15), ['a limit, again'], numbered(15, 25)];
    expect(await readServiceLog('redis', lines, [/limit/, /fault/, /nothing/])).toEqual({
      service: 'redis',
      telling: ['a fault', 'a limit'],
      last: [...numbered(6, 15), 'a limit, again', ...numbered(15, 25)],
    });
  });

  test('is nothing of an empty one', async () => {
    expect(await readServiceLog('redis', [], [/./])).toEqual({ service: 'redis', telling: [], last: [] });
  });
});

const secret = 'open-sesame-42';

test('a log is saved line by line without its secrets', async () => {
  const file = path.join(temporaryFolder('log'), 'redis.log');
  const lines = [['one', `password ${secret}`], ['three']];
  const unwritten: Error[] = [];
  const { last } = await saveServiceLog({ service: 'redis', lines, file }, [], [secret], (error) => {
    unwritten.push(error);
  });
  expect(unwritten).toEqual([]);
  expect(await readFile(file, 'utf8')).toBe('one\npassword [redacted]\nthree\n');
  expect(last).toEqual(['one', `password ${secret}`, 'three']);
});

test('one that cannot be written is read all the same', async () => {
  const file = path.join(temporaryFolder('log'), 'missing', 'redis.log');
  const unwritten: string[] = [];
  const lines = Array.from({ length: 100 }, () => ['x'.repeat(10_000)]);
  const { telling } = await saveServiceLog(
    { service: 'redis', lines: [...lines, ['a limit']], file },
    [/limit/],
    [],
    ({ message }) => {
      unwritten.push(message);
    },
  );
  expect(telling).toEqual(['a limit']);
  expect(unwritten).toEqual([expect.stringContaining('ENOENT')]);
});

test('one that breaks off is told, with what there was of it in the file', async () => {
  const file = path.join(temporaryFolder('log'), 'redis.log');
  async function* broken(): AsyncGenerator<string[]> {
    yield await Promise.resolve(['one']);
    throw new Error('cut off');
  }
  const saved = saveServiceLog({ service: 'redis', lines: broken(), file }, [], [], () => undefined);
  await expect(saved).rejects.toThrow('cut off');
  expect(await readFile(file, 'utf8')).toBe('one\n[the rest could not be read]\n');
});

test('a log of five times the memory that there is can be saved', async () => {
  const script = `
    import { saveServiceLog } from './runners/service-log.ts';
    function* lines() {
      for (let batch = 0; batch < 4000; batch += 1) {
        yield Array.from({ length: 500 }, (_, index) => 'line ' + batch + ' ' + index + ' ' + 'x'.repeat(100));
      }
    }
    const log = { service: 'redis', lines: lines(), file: '/dev/null' };
    const { last } = await saveServiceLog(log, [/limit/], ['${secret}'], (error) => { throw error; });
    process.stdout.write(last.at(-1));`;
  const node = ['--max-old-space-size=48', '--import', 'tsx', '--input-type=module', '--eval', script];
  const { stdout } = await execa(process.execPath, node, { cwd: checkout });
  expect(stdout).toMatch(/^line 3999 499 x+$/);
}, 60_000);
