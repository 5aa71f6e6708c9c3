import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { restoreState } from '../../runners/state-backup.js';
import { temporaryFolder } from '../helpers/temporary.js';

let backend: string;
let folder: string;
beforeEach(async () => {
  const state = temporaryFolder('state');
  backend = pathToFileURL(state).href;
  folder = path.join(state, '.pulumi', 'stacks', 'rehearsal');
  await mkdir(folder, { recursive: true });
});

const before = '{"version": 3}';
const write = (files: Record<string, string>): Promise<unknown> =>
  Promise.all(Object.entries(files).map(([name, text]) => writeFile(path.join(folder, name), text)));
async function files(): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort();
  const texts = await Promise.all(names.map((name) => readFile(path.join(folder, name), 'utf8')));
  return Object.fromEntries(names.map((name, index) => [name, texts[index] ?? '']));
}

describe('a state that a full disk has emptied', () => {
  test('comes back as it was before the last change', async () => {
    await write({ 'one.json': '', 'one.json.bak': before, 'two.json': '' });
    await restoreState(backend, 'one');
    expect(await files()).toEqual({ 'one.json': before, 'one.json.bak': before, 'two.json': '' });
  });

  test('goes where there was none before', async () => {
    await write({ 'one.json': '', 'two.json.bak': before });
    await restoreState(backend, 'one');
    expect(await files()).toEqual({ 'two.json.bak': before });
  });
});

test.each<[string, Record<string, string>]>([
  ['can be read', { 'one.json': '{"version": 4}', 'one.json.bak': before }],
  ['is damaged in another way', { 'one.json': '{"version":', 'one.json.bak': before }],
  ['is not there', { 'one.json.bak': before }],
  ['is empty like the one before', { 'one.json': '', 'one.json.bak': '' }],
])('a state is left alone that %s', async (_, found) => {
  await write(found);
  await restoreState(backend, 'one');
  expect(await files()).toEqual(found);
});

test.each(['', 'https://api.pulumi.com', 's3://states', 'file://~/states', 'file:///nowhere'])(
  'in the backend "%s" there is nothing to be brought back',
  async (elsewhere) => {
    await expect(restoreState(elsewhere, 'one')).resolves.toBeUndefined();
  },
);
