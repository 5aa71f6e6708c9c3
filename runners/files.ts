import { readFile } from 'node:fs/promises';

/** The file's text; undefined when there is no such file. @throws Error when it is there and can't be read. */
export function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
}
