import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { tailOf } from '../../runners/exec.js';
import { temporaryFolder } from '../helpers/temporary.js';

let folder: string;
beforeAll(() => {
  folder = temporaryFolder('tail');
});

describe('the last lines of a file', () => {
  const tail = async (text: string, lineCount: number): Promise<string> => {
    const file = path.join(folder, 'log');
    await writeFile(file, text);
    return tailOf(file, lineCount);
  };

  test('are as many as are asked for', async () => {
    expect(await tail('1\n2\n3\n', 2)).toBe('2\n3');
    expect(await tail('1\n2', 5)).toBe('1\n2');
  });

  test('are whole, however long the file is', async () => {
    const line = 'x'.repeat(999);
    const found = (await tail(`${line}\n`.repeat(100), 40)).split('\n');
    expect(new Set(found)).toEqual(new Set([line]));
    expect(found.length).toBeGreaterThan(10);
  });

  test('are the end of one that is longer than what is shown', async () => {
    expect(await tail(`${'y'.repeat(20_000)}end`, 40)).toMatch(/^y{10000,}end$/);
  });

  test('are none where there is no file', () => {
    expect(tailOf(path.join(folder, 'missing'), 3)).toBe('');
  });
});
