import { readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { rememberingSettings, restoreSettings } from '../../runners/settings-before.js';
import { temporaryFolder } from '../helpers/temporary.js';

const theirs = '# Ours.\nconfig: { profile: standard }\n';
const written = 'config:\n  rehearsal:profile: small\nencryptionsalt: v1:abc\n';

let checkout: string;
let file: string;
const up = (text: string): Promise<string> =>
  rememberingSettings({ checkout, project: checkout, stack: 'team' }, async () => {
    await writeFile(file, text);
    return text;
  });
const text = (): Promise<string> => readFile(file, 'utf8');

beforeEach(async () => {
  checkout = temporaryFolder('before');
  file = path.join(checkout, 'Pulumi.team.yaml');
});

describe('the settings file of a stack that is gone', () => {
  test('is what it was before the stack came up, to the letter', async () => {
    await writeFile(file, theirs);
    expect(await up(written)).toBe(written);
    expect(await text()).toBe(written);
    expect(await restoreSettings(checkout, 'team')).toBeUndefined();
    expect(await text()).toBe(theirs);
  });

  test('is what it was before the first of several ups', async () => {
    await writeFile(file, theirs);
    await up(written);
    await up(`${written}secretsprovider: passphrase\n`);
    await restoreSettings(checkout, 'team');
    expect(await text()).toBe(theirs);
  });

  test('is gone where there was none, also after a second up', async () => {
    await up(written);
    await up(written);
    await restoreSettings(checkout, 'team');
    expect(existsSync(file)).toBe(false);
  });

  test('stays where somebody has edited it since, and that is told', async () => {
    await writeFile(file, theirs);
    await up(written);
    await writeFile(file, `${written}  # A remark changes nothing.\n`);
    expect(await restoreSettings(checkout, 'team')).toBeUndefined();
    await up(written);
    await writeFile(file, written.replace('small', 'incident'));
    expect(await restoreSettings(checkout, 'team')).toMatch(
      /^Pulumi\.team\.yaml has been edited since "up": /,
    );
    expect(await text()).toContain('incident');
  });

  test('is what it was at once when the stack could not be made', async () => {
    const fails = (): Promise<never> =>
      rememberingSettings({ checkout, project: checkout, stack: 'team' }, async () => {
        await writeFile(file, written);
        throw new Error('no passphrase');
      });
    await expect(fails()).rejects.toThrow('no passphrase');
    expect(existsSync(file)).toBe(false);
    await writeFile(file, theirs);
    await expect(fails()).rejects.toThrow('no passphrase');
    expect(await text()).toBe(theirs);
  });

  test('is never one from before an edit', async () => {
    await writeFile(file, theirs);
    await up(written);
    const edited = written.replace('small', 'incident');
    await writeFile(file, edited);
    await up(`${edited}secretsprovider: passphrase\n`);
    await restoreSettings(checkout, 'team');
    expect(await text()).toBe(edited);
  });

  test('stays as it is when nobody brought the stack up, and after it was restored', async () => {
    await writeFile(file, theirs);
    await restoreSettings(checkout, 'team');
    await up(written);
    await restoreSettings(checkout, 'team');
    await writeFile(file, written);
    await restoreSettings(checkout, 'team');
    expect(await text()).toBe(written);
  });
});
