import { createWriteStream, openSync, type WriteStream } from 'node:fs';

/**
 * A file that takes the output of a child process. Open already, it reaches the child as a file descriptor: there is no
 * pipe between, and nothing gathers in this process's memory. Who has started the child destroys it here.
 */
export function outputFile(file: string, flags: 'a' | 'w', mode?: number): WriteStream {
  return createWriteStream(file, { fd: openSync(file, flags, mode) });
}
