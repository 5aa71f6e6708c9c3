import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readSettings } from '../../runners/settings.js';

function folderWith(text: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'settings-'));
  writeFileSync(path.join(folder, 'Pulumi.ci.yaml'), text);
  return folder;
}

describe('settings', () => {
  test('are the defaults where nothing is chosen and dev has no file', () => {
    expect(readSettings(folderWith(''), undefined)).toEqual({
      source: 'the defaults',
      config: {},
      encryption: {},
    });
  });

  test('of a chosen stack must exist', () => {
    expect(() => readSettings(folderWith(''), 'prod')).toThrow(
      /Pulumi\.prod\.yaml:[^]*no such file.*--stack/,
    );
  });

  test('are read as Pulumi reads them, with what decrypts them', () => {
    const text =
      'encryptionsalt: v1:abc\nconfig:\n  profile: small\n  rehearsal:ttlMinutes: 5\n  docker:host: unix:///x\n';
    expect(readSettings(folderWith(text), 'ci')).toEqual({
      source: 'Pulumi.ci.yaml',
      config: { 'rehearsal:profile': 'small', 'rehearsal:ttlMinutes': 5, 'docker:host': 'unix:///x' },
      encryption: { encryptionsalt: 'v1:abc' },
    });
  });

  test('may be an empty file', () => {
    expect(readSettings(folderWith(''), 'ci').config).toEqual({});
  });

  test('that are no YAML are refused with file, line and column', () => {
    expect(() => readSettings(folderWith('config:\n  a: [1,\n  b: 2\n'), 'ci')).toThrow(
      /Pulumi\.ci\.yaml:3:\d+: not valid YAML/,
    );
  });

  test.each([
    ['config: 5', 'config: '],
    ['- a', 'the whole file: '],
  ])('that are %j are refused', (text, where) => {
    expect(() => readSettings(folderWith(text), 'ci')).toThrow(where);
  });
});
