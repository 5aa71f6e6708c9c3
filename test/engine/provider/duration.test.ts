import { expect, test } from '@jest/globals';
import { formatDuration, parseDuration } from '../../../engine/provider/duration.js';

test.each([
  ['0s', 0],
  ['10s', 10e9],
  ['1m30s', 90e9],
  ['2m0s', 120e9],
  ['1h0m5s', 3605e9],
  ['250ms', 250e6],
  ['1.5s', 1.5e9],
  ['3µs', 3000],
])('%s', (text, ns) => {
  expect(parseDuration(text)).toBe(ns);
  expect(formatDuration(ns)).toBe(text);
});

test.each([
  ['0', 0],
  ['120s', 120e9],
  ['1.5h', 5400e9],
  ['3us', 3000],
])('%s, which is written otherwise', (text, ns) => {
  expect(parseDuration(text)).toBe(ns);
});

test.each(['', '10', 's', '-1s', '1d', '1s 2s', '1.s'])('%j is none', (text) => {
  expect(parseDuration(text)).toBeUndefined();
});
