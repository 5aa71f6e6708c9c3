import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { checkout } from './state.js';

const packageSchema = z.object({ scripts: z.object({ start: z.string() }) });

/** The command and the arguments that `npm start` runs in the checkout, for who measures or kills it without npm. */
export function npmStart(): [command: string, ...args: string[]] {
  const text = readFileSync(path.join(checkout, 'package.json'), 'utf8');
  const [, , ...args] = packageSchema.parse(JSON.parse(text)).scripts.start.split(' ');
  return [process.execPath, ...args];
}
