import { readFile } from 'node:fs/promises';

/** A zombie is dead: only its parent hasn't noticed yet. */
export async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => undefined);
  return status !== undefined && !/\) Z /.test(status);
}
