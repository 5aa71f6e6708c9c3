import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { temporaryFolder } from '../helpers/temporary.js';

let folder: string;

/** Asks with only this folder on PATH. */
async function obstacle(): Promise<string> {
  const script = `
    import { goObstacle } from './engine/go-build.ts';
    process.stdout.write(String(await goObstacle('pulumi')));`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
  return (await execa(process.execPath, args, { env: { PATH: folder } })).stdout;
}
const writeGo = (lines: string): Promise<void> =>
  writeFile(path.join(folder, 'go'), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });

beforeEach(() => {
  folder = temporaryFolder('go');
});

describe('building with Go', () => {
  const remedy = /install Go 1\.25\.11 or newer .*or the Pulumi CLI itself/;

  test('needs Go', async () => {
    expect(await obstacle()).toMatch(/without Go it can't be built/);
    expect(await obstacle()).toMatch(remedy);
  });

  test('needs a Go that is new enough', async () => {
    await writeGo('echo go1.19.8');
    expect(await obstacle()).toMatch(/Go 1\.19\.8 is too old/);
    expect(await obstacle()).toMatch(remedy);
  });

  test('passes on why Go can not fetch the release that is needed', async () => {
    await writeGo('echo "go.mod requires go >= 1.25.11 (running go 1.22.0; GOTOOLCHAIN=local)" >&2; exit 1');
    expect(await obstacle()).toMatch(/GOTOOLCHAIN=local/);
    expect(await obstacle()).toMatch(remedy);
  });

  test.each(['go1.25.11', 'go1.26', 'go2.0.1'])('works with %s', async (version) => {
    await writeGo(`echo ${version}`);
    expect(await obstacle()).toBe('undefined');
  });
});
