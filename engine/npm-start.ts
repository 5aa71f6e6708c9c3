import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { checkout } from './state.js';

const packageSchema = z.object({ scripts: z.object({ start: z.string() }) });

/**
 * The command and the arguments that `npm start` runs in the checkout, for who measures or kills it without npm. Among
 * them is a limit for V8's new objects: as much as it likes makes the runner some 10 MB larger, much less makes it slower.
 */
export function npmStart(): [command: string, ...args: string[]] {
  const { start } = packageSchema.parse(
    JSON.parse(readFileSync(path.join(checkout, 'package.json'), 'utf8')),
  ).scripts;
  const prefix = 'exec node ';
  if (!start.startsWith(prefix)) throw new Error(`"start" in package.json is not "${prefix}…": ${start}`);
  return [process.execPath, ...start.slice(prefix.length).split(' ')];
}
