import { describe, expect, test } from '@jest/globals';
import { readArguments } from '../../engine/pulumi-arguments.js';

const read = (line: string) => readArguments(line.split(' '));

describe('arguments of the Pulumi CLI', () => {
  test('get the stack dev where they name none', () => {
    expect(read('up --yes')).toEqual({
      args: ['up', '--yes', '--stack=dev'],
      stack: 'dev',
      creates: true,
      images: true,
    });
    expect(read('config set key -- --value').args.join(' ')).toBe('config set key --stack=dev -- --value');
  });

  test.each(['up --stack ci', 'up -s ci', 'up --stack=ci', 'up --stack organization/rehearsal/ci'])(
    'keep the stack that they name: %s',
    (line) => {
      expect(read(line)).toMatchObject({ args: line.split(' '), stack: 'ci', creates: true });
    },
  );

  test.each(['stack init ci', 'stack rm ci --yes', 'stack select ci', 'cancel ci'])(
    'may name the stack by position, and make none then: %s',
    (line) => {
      expect(read(line)).toMatchObject({ args: line.split(' '), stack: 'ci', creates: false });
    },
  );

  test.each([
    'version',
    'stack ls',
    'up --help',
    'destroy --cwd .rehearsal/runs/1 --stack x --yes',
    'plugin ls',
  ])('are left alone where they are about no stack of the checkout: %s', (line) => {
    expect(read(line)).toEqual({ args: line.split(' '), stack: undefined, creates: false, images: false });
  });

  test('ask for images only where containers may start', () => {
    expect(read('preview').images).toBe(true);
    expect(read('destroy').images).toBe(false);
    expect(read('config').images).toBe(false);
  });
});
