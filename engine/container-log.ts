const headerBytes = 8;

/**
 * The text of a container's output, stdout and stderr as they came. Without a terminal the engine packs it into
 * frames: a header of 8 bytes, the last 4 of them the length, then the text. What was cut off at the end is left
 * out.
 */
export function textOfFrames(frames: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + headerBytes <= frames.length;) {
    const end = at + headerBytes + frames.readUInt32BE(at + headerBytes - 4);
    parts.push(frames.subarray(at + headerBytes, end));
    at = end;
  }
  // Decoded once: a character may be split between two frames.
  return Buffer.concat(parts).toString();
}
