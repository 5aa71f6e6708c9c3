import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { execa } from 'execa';
import { checkout } from '../../engine/state.js';
import { countsOf, type Counts } from '../helpers/jest-counts.js';
import { temporaryFolder } from '../helpers/temporary.js';

/** What the real Jest says about these test files, counted. */
async function countsOfFiles(files: string[]): Promise<Counts> {
  const folder = temporaryFolder('jest');
  await writeFile(path.join(folder, 'package.json'), '{}');
  for (const [index, text] of files.entries()) {
    await writeFile(path.join(folder, `${String(index)}.test.js`), text);
  }
  const jest = path.join(checkout, 'node_modules', 'jest', 'bin', 'jest.js');
  const args = [jest, `--rootDir=${folder}`, '--json', '--outputFile=result.json', '--passWithNoTests'];
  const { failed } = await execa(process.execPath, args, { cwd: folder, reject: false, stdin: 'ignore' });
  return countsOf(await readFile(path.join(folder, 'result.json'), 'utf8'), failed);
}

const passing = "test('works', () => {});";

test('passed and failed tests are counted over all files', async () => {
  expect(
    await countsOfFiles([passing, `${passing} test('breaks', () => { throw new Error('no'); });`]),
  ).toEqual({
    passed: 2,
    failed: 1,
  });
});

test.each([
  ['a skipped test', `${passing} test.skip('later', () => {});`],
  ['a test to be written', `${passing} test.todo('later');`],
])('%s counts as failed', async (_, file) => {
  expect(await countsOfFiles([file])).toEqual({ passed: 1, failed: 1 });
});

test.each([
  ['can not be parsed', 'this is no JavaScript'],
  ['throws when it is loaded', "throw new Error('no');"],
  ['has no test', '1;'],
])('a file that %s counts as failed', async (_, file) => {
  expect(await countsOfFiles([passing, file])).toEqual({ passed: 1, failed: 1 });
});

test('nothing at all is nothing passed', async () => {
  expect(await countsOfFiles([])).toEqual({ passed: 0, failed: 0 });
});
