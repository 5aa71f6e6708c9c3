import { chmod, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { stateEnvironment } from '../../engine/state.js';
import { temporaryFolder } from '../helpers/temporary.js';

let folder: string;

beforeEach(() => {
  folder = temporaryFolder('state');
});

const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

describe('the passphrase', () => {
  test('is made once, for the user alone', async () => {
    const { PULUMI_CONFIG_PASSPHRASE_FILE: file } = await stateEnvironment({}, folder);
    expect(file).toBe(path.join(folder, 'passphrase'));
    const passphrase = await readFile(path.join(folder, 'passphrase'), 'utf8');
    expect(passphrase.length).toBeGreaterThanOrEqual(32);
    expect(await modeOf(path.join(folder, 'passphrase'))).toBe(0o600);

    await stateEnvironment({}, folder);
    expect(await readFile(path.join(folder, 'passphrase'), 'utf8')).toBe(passphrase);
    expect((await readdir(folder)).sort()).toEqual(['passphrase', 'state']);
  });

  test('is one and the same for several who ask at once', async () => {
    await Promise.all(Array.from({ length: 5 }, () => stateEnvironment({}, folder)));
    expect((await readdir(folder)).sort()).toEqual(['passphrase', 'state']);
  });

  test('is closed to others again', async () => {
    await stateEnvironment({}, folder);
    await chmod(path.join(folder, 'passphrase'), 0o644);
    await stateEnvironment({}, folder);
    expect(await modeOf(path.join(folder, 'passphrase'))).toBe(0o600);
  });

  test('of the user is used, even an empty one', async () => {
    const chosen = await stateEnvironment({ PULUMI_CONFIG_PASSPHRASE: '' }, folder);
    expect(chosen).not.toHaveProperty('PULUMI_CONFIG_PASSPHRASE_FILE');
    expect(await readdir(folder)).toEqual(['state']);
  });
});

describe('the backend', () => {
  test('is a folder of the checkout', async () => {
    expect(await stateEnvironment({}, folder)).toMatchObject({
      PULUMI_BACKEND_URL: `file://${folder}/state`,
    });
  });

  test.each([{ PULUMI_BACKEND_URL: 's3://ours' }, { PULUMI_ACCESS_TOKEN: 'pul-x' }])(
    'of the user is used, with the logins of the home that is theirs: %j',
    async (env) => {
      const chosen = await stateEnvironment({ ...env, PULUMI_HOME: '/home/of/theirs' }, folder);
      expect(chosen).not.toHaveProperty('PULUMI_BACKEND_URL');
      expect(chosen).toMatchObject({ PULUMI_CREDENTIALS_PATH: '/home/of/theirs' });
    },
  );
});
