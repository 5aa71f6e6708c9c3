import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import type { JanitorRequest } from './tidy-up.js';

export interface Janitor {
  /** There is nothing left to do for it. */
  dismiss(): void;
}

/**
 * Starts the process that destroys what a run leaves when its runner dies, in a session of its own, so that
 * nothing that ends the runner or its terminal ends it too.
 * @param env the whole environment of the Pulumi CLI.
 */
export function startJanitor(request: JanitorRequest, env: NodeJS.ProcessEnv): Janitor {
  const log = openSync(path.join(request.folder, 'janitor.log'), 'a', 0o600);
  // GitHub ends what carries its mark together with the job, which is just when a janitor is needed.
  const own = Object.fromEntries(Object.entries(env).filter(([key]) => key !== 'RUNNER_TRACKING_ID'));
  const child = spawn(
    process.execPath,
    [path.join(import.meta.dirname, 'janitor.mjs'), JSON.stringify(request)],
    { cwd: request.checkout, env: own, detached: true, stdio: ['pipe', log, log] },
  );
  closeSync(log);
  child.unref();
  // It may be gone: then there is nobody to dismiss.
  child.stdin?.on('error', () => undefined);
  return {
    dismiss() {
      child.stdin?.end('done');
    },
  };
}
