/**
 * Stands between the runner and a program that it runs, and tells how the program ended. A program that kills
 * its parent, or its parent's whole group, meets this process and not the runner. The first message says what to
 * run, each later one names a signal for the program's group. Signals to this process have their default effect:
 * one that ends it was not the runner's.
 */
import { spawn } from 'node:child_process';

function tell(message) {
  // Without a runner to listen there is nothing more to do either.
  process.send(message, () => process.exit());
}

function run({ command, args, env }) {
  const child = spawn(command, args, { env, detached: true, stdio: ['ignore', 'inherit', 'inherit'] });
  child.once('error', ({ message }) => tell({ kind: 'not started', reason: message }));
  child.once('spawn', () => process.send({ kind: 'started', pid: child.pid }, () => undefined));
  child.once('exit', (exitCode, signal) => {
    tell(signal === null ? { kind: 'exited', exitCode } : { kind: 'signalled', signal });
  });
  process.on('message', (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // It ended meanwhile.
    }
  });
}

process.once('message', (program) => {
  try {
    run(program);
  } catch (error) {
    tell({ kind: 'not started', reason: error.message });
  }
});
