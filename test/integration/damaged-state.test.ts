import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { setUp } from '../../engine/setup.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { npmRun } from '../helpers/cli.js';
import { silentProgress } from '../helpers/progress.js';

const timeoutMs = 5 * 60_000;

let backend: string;
afterEach(() => rm(backend, { recursive: true }));

const fileOf = (stack: string): string =>
  path.join(backend, '.pulumi', 'stacks', 'rehearsal', `${stack}.json`);
const down = (stack: string) =>
  npmRun('rehearsal', ['down', '--stack', stack], { PULUMI_BACKEND_URL: pathToFileURL(backend).href });

/** A backend with the empty stacks `whole` and `spoilt`. */
async function twoStacks(): Promise<void> {
  backend = await mkdtemp(path.join(tmpdir(), 'rehearsal-backend-'));
  const { pulumi, env } = await setUp({ progress: silentProgress, images: false });
  // A project of its own: the command writes settings beside it.
  await writeFile(path.join(backend, 'Pulumi.yaml'), 'name: rehearsal\nruntime: nodejs\n');
  for (const stack of ['whole', 'spoilt']) {
    await execa(pulumi, ['stack', 'init', stack, '--no-select', '--non-interactive'], {
      cwd: backend,
      env: { ...env, PULUMI_BACKEND_URL: pathToFileURL(backend).href },
    });
  }
}

describe('a state file that is', () => {
  test.each([
    ['cut short', (text: string) => text.slice(0, 200), 'unexpected end of JSON input'],
    ['of a later version', (text: string) => text.replace('"version":3', '"version":99'), 'version 99'],
    ['something else', () => '{"version":3,"checkpoint":{"latest":"nothing"}}', 'cannot unmarshal string'],
  ])(
    '%s is named and left as it is, and hinders no other stack',
    async (_, spoil, reason) => {
      await twoStacks();
      const spoilt = spoil(await readFile(fileOf('spoilt'), 'utf8'));
      await writeFile(fileOf('spoilt'), spoilt);

      const refused = await down('spoilt');
      expect(refused).toMatchObject({ exitCode: exitCodes.leak });
      expect(refused.stderr).toContain(`${fileOf('spoilt')} can't be read`);
      expect(refused.stderr).toContain(reason);
      expect(await readFile(fileOf('spoilt'), 'utf8')).toBe(spoilt);

      expect(await down('whole')).toMatchObject({ exitCode: exitCodes.go });
      expect(existsSync(fileOf('whole'))).toBe(false);
    },
    timeoutMs,
  );
});
