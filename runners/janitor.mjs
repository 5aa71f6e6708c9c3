/**
 * Waits, in a process and a session of its own, for the end of the runner. One that ends in order says so first;
 * after any other end, SIGKILL included, the stacks that it answers for are destroyed. Plain JavaScript: while there
 * is nothing to do, it costs next to nothing.
 */
import { text } from 'node:stream/consumers';

// Its log may be on a disk that is full: it has work to do all the same.
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);

// A terminal's hang-up or Ctrl-C is the runner's affair.
for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => undefined);

// The pipe's other end closes with the runner, however that ends.
if ((await text(process.stdin)) !== 'done') {
  const { register } = await import('tsx/esm/api');
  register();
  const { tidyUp } = await import('./tidy-up.ts');
  await tidyUp(JSON.parse(process.argv[2]));
}
