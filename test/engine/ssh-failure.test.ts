import { expect, test } from '@jest/globals';
import { algorithmsOf, masterArguments } from '../../engine/ssh/client.js';
import { fingerprint } from '../../engine/ssh/failure.js';
import { describeTarget } from '../../engine/ssh/target.js';

const target = { address: '[2001:db8::1]', port: 2222, user: 'ci', hostKey: 'ssh-ed25519 AAAA' };
const argumentsFor = (changes: object = {}): string[] =>
  masterArguments('/folder', { ...target, ...changes }, '/folder/log', 10);

test("no key but the pinned one counts, and nobody's configuration", () => {
  const args = argumentsFor();
  expect(args.slice(0, 2)).toEqual(['-F', 'none']);
  for (const option of [
    'StrictHostKeyChecking=yes',
    'GlobalKnownHostsFile=/dev/null',
    'UserKnownHostsFile="/folder/known_hosts"',
    'UpdateHostKeys=no',
    'BatchMode=yes',
  ]) {
    expect(args).toContain(option);
  }
});

test('a host is asked for the kind of key that is pinned', () => {
  expect(argumentsFor()).toContain('HostKeyAlgorithms=ssh-ed25519');
  expect(algorithmsOf('ssh-rsa AAAA')).toBe('rsa-sha2-512,rsa-sha2-256');
  expect(algorithmsOf('ecdsa-sha2-nistp256 AAAA')).toBe('ecdsa-sha2-nistp256');
});

test('an address is never read as an option, and goes without its brackets', () => {
  expect(argumentsFor().slice(-2)).toEqual(['--', '2001:db8::1']);
});

test('a key that is named is the only one that is tried', () => {
  expect(argumentsFor()).not.toContain('IdentitiesOnly=yes');
  expect(argumentsFor({ identityFile: '/key' })).toEqual(
    expect.arrayContaining(['IdentitiesOnly=yes', '-i', '/key']),
  );
});

test('a fingerprint is the one that OpenSSH prints', () => {
  const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ78IzlJJmabi6A2r8c6l2xDpX5jOl4IQFtVwVZDmRPk';
  expect(fingerprint(key)).toBe('SHA256:QjxVqFYscKRi3VwhmDivcRcLib7AQrF+axWkfFnS/0A (ssh-ed25519)');
});

test('a target is told with its port where that is not the usual one', () => {
  expect(describeTarget(target)).toBe('ssh://ci@[2001:db8::1]:2222');
  expect(describeTarget({ ...target, address: 'box', port: 22 })).toBe('ssh://ci@box');
});
