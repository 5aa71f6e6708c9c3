import { expect, test } from '@jest/globals';
import { lineCutter } from '../../engine/lines.js';

const text = Buffer.from('one\n\ntwo €\nthree');

test.each([1, 2, 5, 100])('lines are the same in pieces of %i bytes', (bytes) => {
  const cutter = lineCutter();
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += bytes) lines.push(...cutter.add(text.subarray(at, at + bytes)));
  expect([...lines, ...cutter.end()]).toEqual(['one', '', 'two €', 'three']);
});

test('what ends with its last line has no other', () => {
  const cutter = lineCutter();
  expect(cutter.add(Buffer.from('one\n'))).toEqual(['one']);
  expect(cutter.end()).toEqual([]);
});
