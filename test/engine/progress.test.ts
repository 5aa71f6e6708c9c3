import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { Pieces } from '../../engine/pieces.js';
import { terminalProgress } from '../../engine/progress.js';
import { silentProgress } from '../helpers/progress.js';

class Output extends PassThrough {
  text = '';
  readonly columns = 80;
  readonly rows = 20;

  constructor(readonly isTTY: boolean) {
    super();
    this.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
  }
}

afterEach(() => {
  jest.useRealTimers();
});

describe('progress without a terminal', () => {
  test('is a line at the start and one at the end', () => {
    const output = new Output(false);
    const step = terminalProgress(output).step('building');
    step.update('1 of 3');
    step.done('3 built');
    expect(output.text).toMatch(/^… building\n✔ building: 3 built \(\d\.\d s\)\n$/);
  });

  test('is at most one line in 10 s between', () => {
    jest.useFakeTimers();
    const output = new Output(false);
    const step = terminalProgress(output).step('building');
    for (let second = 1; second <= 25; second += 1) {
      jest.advanceTimersByTime(1_000);
      step.update(`second ${String(second)}`);
    }
    step.fail('no disk');
    expect(output.text).toBe(
      '… building\n  building: second 10\n  building: second 20\n✖ building: no disk (25.0 s)\n',
    );
  });
});

describe('progress on a terminal', () => {
  test('keeps a line per running step, and a note and the ended ones above them', () => {
    const output = new Output(true);
    const progress = terminalProgress(output);
    const [first, second] = [progress.step('first'), progress.step('second')];
    output.text = '';
    first.done('ready');
    expect(output.text).toMatch(/✔.*first: ready[^]*second/);
    output.text = '';
    progress.note('by the way');
    expect(output.text).toMatch(/by the way\n[^]*second/);
    expect(output.text).not.toContain('first');
    output.text = '';
    second.fail('broken');
    expect(output.text).toMatch(/✖.*second: broken/);
  });
});

describe('pieces', () => {
  const found = { way: 'official', version: '1.0' } as const;

  test('remember where each came from', async () => {
    const pieces = new Pieces(silentProgress);
    await pieces.get('Pulumi CLI', () => Promise.resolve(found));
    expect(pieces.sources).toEqual({ 'Pulumi CLI': { ...found, tookMs: expect.any(Number) } });
    pieces.assertComplete();
  });

  test('that fail are told together, one reason once', async () => {
    const pieces = new Pieces(silentProgress);
    const noBase = new Error('no base image');
    await Promise.allSettled([
      pieces.get('image redis', () => Promise.reject(noBase)),
      pieces.get('image postgres', () => Promise.reject(noBase)),
      pieces.get('browser', () => Promise.reject(new Error('install Chromium'))),
    ]);
    expect(() => {
      pieces.assertComplete();
    }).toThrow(
      "The set-up can't be finished:\nimage redis, image postgres: no base image\nbrowser: install Chromium",
    );
  });
});
