import { lineCutter } from './lines.js';

const headerBytes = 8;

/**
 * Without a terminal the engine packs a container's output, stdout and stderr as they came, into frames: a header of
 * 8 bytes, the last 4 of them the length, then the text.
 */
function unpack(packed: Buffer): { text: Buffer; rest: Buffer } {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + headerBytes <= packed.length) {
    const end = at + headerBytes + packed.readUInt32BE(at + headerBytes - 4);
    if (end > packed.length) break;
    parts.push(packed.subarray(at + headerBytes, end));
    at = end;
  }
  return { text: Buffer.concat(parts), rest: packed.subarray(at) };
}

/** The text of a container's output. What of its last frame was cut off is left out. */
export function textOfFrames(frames: Buffer): string {
  // Decoded once: a character may be split between two frames.
  return unpack(frames).text.toString();
}

/** The lines of a container's output, as many at once as come at once. */
export async function* linesOfFrames(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  const cutter = lineCutter();
  let packed: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const { text, rest } = unpack(Buffer.concat([packed, chunk]));
    packed = rest;
    yield cutter.add(text);
  }
  yield cutter.end();
}
