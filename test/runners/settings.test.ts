import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readSettings, type Settings } from '../../runners/settings.js';
import { temporaryFolder } from '../helpers/temporary.js';

/** Reads settings in a checkout whose only stack, ci, has this text as its file. */
function settingsOf(
  text: string,
  stack: string | undefined,
  note: (line: string) => void = () => undefined,
): Promise<Settings> {
  const checkout = temporaryFolder('settings');
  writeFileSync(path.join(checkout, 'Pulumi.yaml'), 'name: rehearsal\nruntime: nodejs\n');
  writeFileSync(path.join(checkout, 'Pulumi.ci.yaml'), text);
  return readSettings({ checkout, stack, note });
}

describe('settings', () => {
  test('are the defaults where nothing is chosen and dev has no file', async () => {
    expect(await settingsOf('', undefined)).toEqual({ source: 'the defaults', config: {}, encryption: {} });
  });

  test('of a chosen stack must exist', async () => {
    await expect(settingsOf('', 'prod')).rejects.toThrow(/Pulumi\.prod\.yaml:[^]*no such file.*--stack/);
  });

  test('are read as Pulumi reads them, with what decrypts them', async () => {
    const text =
      'encryptionsalt: v1:abc\nconfig:\n  profile: small\n  rehearsal:ttlMinutes: 5\n  docker:host: unix:///x\n';
    expect(await settingsOf(text, 'ci')).toEqual({
      source: 'Pulumi.ci.yaml',
      config: { 'rehearsal:profile': 'small', 'rehearsal:ttlMinutes': 5, 'docker:host': 'unix:///x' },
      encryption: { encryptionsalt: 'v1:abc' },
    });
  });

  test('may be an empty file', async () => {
    expect((await settingsOf('', 'ci')).config).toEqual({});
  });

  test('that are no YAML are refused with file, line and column', async () => {
    await expect(settingsOf('config:\n  a: [1,\n  b: 2\n', 'ci')).rejects.toThrow(
      /Pulumi\.ci\.yaml:3:\d+: not valid YAML/,
    );
  });

  test('with keys that nothing reads are refused, all at once', async () => {
    const text = 'rehearsal:profile: small\nconfg:\n  a: 1\nconfig:\n  rehersal:profile: small\n';
    await expect(settingsOf(text, 'ci')).rejects.toThrow(
      '3 problems in Pulumi.ci.yaml:\n' +
        '  - rehearsal:profile: allowed at the top are encryptionsalt, secretsprovider, encryptedkey, config, environment; all settings belong under config\n' +
        '  - confg: allowed at the top are encryptionsalt, secretsprovider, encryptedkey, config, environment; all settings belong under config\n' +
        '  - rehersal:profile: allowed before the colon are rehearsal, docker, aws, pulumi',
    );
  });

  test('may have what Pulumi ESC and the providers read, and it is said that the former is not', async () => {
    const notes: string[] = [];
    const text =
      'environment:\n  - shop/staging\nconfig:\n  pulumi:tags: { team: shop }\n  aws:region: eu-north-1\n';
    const note = (line: string): void => void notes.push(line);
    expect(await settingsOf(text, 'ci', note)).toMatchObject({
      config: { 'pulumi:tags': { team: 'shop' }, 'aws:region': 'eu-north-1' },
      encryption: {},
    });
    expect(notes).toEqual([expect.stringContaining('Pulumi.ci.yaml: "environment" (Pulumi ESC)')]);
  });

  test.each([
    ['config: 5', 'config: '],
    ['- a', 'must be a map'],
  ])('that are %j are refused', async (text, message) => {
    await expect(settingsOf(text, 'ci')).rejects.toThrow(message);
  });
});
