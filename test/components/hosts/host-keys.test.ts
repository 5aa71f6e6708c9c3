import { expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { newKeyPair } from '../../helpers/key-pairs.js';

test('every key pair can be read', () => {
  // Of so many that ssh2 makes, some can't be: all but one time in a thousand.
  for (let count = 0; count < 2000; count += 1) {
    const pair = newKeyPair();
    const key = ssh2.utils.parseKey(pair.private);
    if (key instanceof Error) throw key;
    expect(pair.public).toBe(`ssh-ed25519 ${key.getPublicSSH().toString('base64')}`);
  }
});
