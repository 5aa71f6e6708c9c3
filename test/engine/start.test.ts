import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { bundleStarter } from '../../engine/bundle.js';
import { temporaryFolder } from '../helpers/temporary.js';

const program = `
  const path = require('node:path');
  const { word } = require('./beside.cjs');
  module.exports = word;
  console.log(JSON.stringify({
    argv: process.argv.slice(1), __filename, __dirname, word, own: module.exports,
  }));
  process.exitCode = 3;
`;

let folder: string;
let bundle: string;
let cache: string;
beforeEach(async () => {
  folder = temporaryFolder('start');
  bundle = path.join(folder, 'bundle.cjs');
  cache = `${bundle}.${process.version}-${process.arch}.cache`;
  await writeFile(bundle, program);
  await writeFile(path.join(folder, 'beside.cjs'), `exports.word = 'found';`);
});

async function start(): Promise<unknown> {
  const { stdout, stderr, exitCode } = await execa('node', [bundleStarter, 'bundle.cjs', 'one', '--two'], {
    cwd: folder,
    reject: false,
  });
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 3 });
  return JSON.parse(stdout);
}

test('a bundle runs as if Node ran it, before and after its compiled code is there', async () => {
  const direct = await execa('node', [bundle, 'one', '--two'], { reject: false });
  const expected = JSON.parse(direct.stdout) as unknown;
  expect(expected).toMatchObject({ argv: [bundle, 'one', '--two'], own: 'found' });
  expect(await start()).toEqual(expected);
  const { mtimeMs } = await stat(cache);
  expect(await start()).toEqual(expected);
  expect((await stat(cache)).mtimeMs).toBe(mtimeMs);
});

test('SIGINT ends it as it does without, and what was compiled is kept', async () => {
  await writeFile(bundle, `console.log('up'); setInterval(() => undefined, 1000);`);
  const started = execa('node', [bundleStarter, bundle], { reject: false });
  await once(started.stdout, 'data');
  started.kill('SIGINT');
  expect((await started).exitCode).toBe(130);
  expect((await stat(cache)).size).toBeGreaterThan(0);
});

test('a bundle that hears SIGINT itself decides what becomes of it', async () => {
  await writeFile(
    bundle,
    `console.log('up'); setInterval(() => undefined, 1000); process.once('SIGINT', () => process.exit(4));`,
  );
  const started = execa('node', [bundleStarter, bundle], { reject: false });
  await once(started.stdout, 'data');
  started.kill('SIGINT');
  expect((await started).exitCode).toBe(4);
});

test('damaged code, and that of another source of the same length, is made anew, and no draft is left', async () => {
  await start();
  const good = await readFile(cache);
  // V8 would run both.
  const damaged = Buffer.from(good);
  damaged.fill(0, good.length / 2);
  await writeFile(cache, damaged);
  await start();
  expect((await readFile(cache)).subarray(good.length / 2).every((byte) => byte === 0)).toBe(false);
  await writeFile(bundle, program.replace('exitCode = 3', 'exitCode = 4'));
  const { exitCode } = await execa('node', [bundleStarter, bundle], { reject: false });
  expect(exitCode).toBe(4);
  expect((await readdir(folder)).sort()).toEqual(['beside.cjs', 'bundle.cjs', path.basename(cache)]);
});

test('where nothing can be kept it runs all the same', async () => {
  // Nothing can be renamed to a folder.
  await mkdir(cache);
  expect(await start()).toMatchObject({ own: 'found' });
});
