import { describe, expect, test } from '@jest/globals';
import { redact, secretsOfVariables } from '../../engine/redact.js';

describe('secrets of variables', () => {
  test('are found by name and in addresses', () => {
    const variables = [
      'POSTGRES_PASSWORD=first-secret',
      'DATABASE_URL=postgres://app:second-secret@postgres:5432/app',
      'TOKEN_SECRET=third=secret',
      'PORT=8080',
    ];
    expect(secretsOfVariables(variables)).toEqual([
      'first-secret',
      'second-secret',
      'second-secret',
      'third=secret',
    ]);
  });

  test('are found in an address as it has them, and as they are', () => {
    expect(secretsOfVariables(['DATABASE_URL=postgres://app:a%2Fb%40c@postgres'])).toEqual([
      'a%2Fb%40c',
      'a/b@c',
    ]);
    expect(secretsOfVariables(['DATABASE_URL=postgres://app:100%@postgres'])).toEqual(['100%', '100%']);
  });

  test('are the variables named as such, whatever they are called', () => {
    expect(secretsOfVariables(['SHOP_DSN=dsn', 'SHOP_PLACE=place'], ['SHOP_DSN'])).toEqual(['dsn']);
  });
});

describe('redact', () => {
  const secret = 'a "b" & c/d\\e + f<g>';
  const password = Buffer.from('0123456789abcdefghijklmn').toString('base64url');

  test('replaces every occurrence', () => {
    expect(redact('hush-hush, 900, hush-hush', ['hush-hush'])).toBe('[redacted], 900, [redacted]');
  });

  test('leaves settings that only look like secrets', () => {
    expect(redact('it lives for 900 s', secretsOfVariables(['TOKEN_TTL_SECONDS=900']))).toBe(
      'it lives for 900 s',
    );
  });

  test('leaves nothing of a secret that another is part of', () => {
    expect(redact('hush-hush-hush', ['hush-hush', 'hush-hush-hush'])).toBe('[redacted]');
  });

  test.each([
    ['JSON', JSON.stringify({ secret })],
    ['JSON in JSON', JSON.stringify(JSON.stringify({ secret }))],
    ["Go's JSON", '{"secret":"a \\"b\\" \\u0026 c/d\\\\e + f\\u003cg\\u003e"}'],
    ['an address', `http://shop/?key=${encodeURIComponent(secret)}&x=1`],
    ['an address as it is shown', `http://shop/${encodeURI(secret)}/x`],
    ['a form', new URLSearchParams({ key: secret }).toString()],
    ['XML', '<a b="a &quot;b&quot; &amp; c/d\\e + f&lt;g&gt;"/>'],
  ])('knows a secret in %s', (_, text) => {
    const redacted = redact(text, [secret]);
    expect(redacted).toContain('[redacted]');
    expect(redacted).not.toMatch(/c(\/|%2F)d/);
  });

  test.each(['', 'u', 'us', 'rehearsal:', 'default:'])(
    'knows a secret behind "%s" in base64, whatever follows it',
    (before) => {
      for (const secretText of [password, secret]) {
        for (const encoding of ['base64', 'base64url'] as const) {
          for (const after of ['', '.', '..', '...']) {
            const text = Buffer.from(`${before}${secretText}${after}`).toString(encoding);
            const left = Buffer.from(redact(text, [secretText]).replace('[redacted]', ''), encoding).toString(
              'latin1',
            );
            expect(left).not.toContain(secretText.slice(3, -3));
            expect(redact(text, [secretText])).toContain('[redacted]');
          }
        }
      }
    },
  );

  test('knows each line of a key of several lines', () => {
    const key = '-----BEGIN KEY-----\n0123456789abcdef\n-----END KEY-----\n';
    const log = key.replaceAll(/^(?=.)/gm, '2026-01-02T03:04:05Z ');
    expect(redact(log, [key])).not.toContain('0123456789abcdef');
  });
});
