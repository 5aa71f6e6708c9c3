import { expect, test } from '@jest/globals';
import { linesOfFrames, textOfFrames } from '../../engine/container-log.js';

function frame(text: string | Buffer): Buffer {
  const content = Buffer.from(text);
  const header = Buffer.alloc(8);
  header.writeUInt8(1, 0);
  header.writeUInt32BE(content.length, 4);
  return Buffer.concat([header, content]);
}

const euro = Buffer.from('€');
const output = Buffer.concat([
  frame('one\ntwo'),
  // A character and a line may be split between frames.
  frame(Buffer.concat([Buffer.from(' and '), euro.subarray(0, 1)])),
  frame(Buffer.concat([euro.subarray(1), Buffer.from('\n\n')])),
  frame('last'),
]);

async function* inPieces(bytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < output.length; at += bytes) {
    yield await Promise.resolve(output.subarray(at, at + bytes));
  }
}

test('the text of frames is what was written', () => {
  expect(textOfFrames(output)).toBe('one\ntwo and €\n\nlast');
});

test.each([1, 3, 7, 1000])('its lines are the same in pieces of %i bytes', async (bytes) => {
  const lines: string[] = [];
  for await (const some of linesOfFrames(inPieces(bytes))) lines.push(...some);
  expect(lines).toEqual(['one', 'two and €', '', 'last']);
});
