import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { checkout } from '../../../engine/state.js';
import { readArtifacts } from '../../../runners/diagnosis/artifacts.js';
import { temporaryFolder } from '../../helpers/temporary.js';

const suites = [{ name: 'asks', folder: 'of-asks' }];
let folder: string;
let logs: string;

beforeEach(() => {
  folder = temporaryFolder('artifacts');
  logs = path.join(folder, 'of-asks', 'logs');
  mkdirSync(logs, { recursive: true });
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('a log is read line by line, as often as somebody asks', () => {
  writeFileSync(path.join(logs, 'redis.log'), 'one\ntwo\n');
  const log = readArtifacts(folder, suites)['asks']?.['redis']?.log ?? [];
  expect([...log]).toEqual(['one', 'two']);
  expect([...log]).toEqual(['one', 'two']);
});

test('what is not there, or cannot be read, is left out', () => {
  mkdirSync(path.join(logs, 'backend.log'));
  writeFileSync(path.join(logs, 'redis.log'), '');
  writeFileSync(path.join(logs, 'redis.json'), 'no JSON');
  const artifacts = readArtifacts(folder, suites)['asks'] ?? {};
  expect(Object.keys(artifacts)).toEqual(['redis', 'backend']);
  expect(artifacts['redis']).not.toHaveProperty('inspect');
  expect(Object.values(artifacts).flatMap((each) => [...(each?.log ?? [])])).toEqual([]);
});

test('a log longer than memory can be looked through', async () => {
  const file = openSync(path.join(logs, 'redis.log'), 'w');
  const piece = `2026-11-24T05:09:13.000000000Z ${'x'.repeat(100)}\n`.repeat(8_000);
  for (let count = 0; count < 80; count += 1) writeSync(file, piece);
  writeSync(file, 'the last');
  closeSync(file);
  const script = `
    import { readArtifacts } from './runners/diagnosis/artifacts.ts';
    import { lastLines } from './runners/diagnosis/case.ts';
    const [folder] = process.argv.slice(1);
    const { asks } = readArtifacts(folder, [{ name: 'asks', folder: 'of-asks' }]);
    const [last] = lastLines({ suite: { lastLines: [] }, artifacts: asks }, 'redis', 1);
    process.stdout.write(last.text);`;
  const node = [
    '--max-old-space-size=48',
    '--import',
    'tsx',
    '--input-type=module',
    '--eval',
    script,
    folder,
  ];
  const { stdout } = await execa(process.execPath, node, { cwd: checkout });
  expect(stdout).toBe('the last');
}, 60_000);
