import path from 'node:path';
import { execa } from 'execa';
import { bundleStarter } from '../engine/bundle.js';
import { outputFile } from '../engine/output-file.js';
import { compile } from './compile.js';
import { mayStartMessage, type HostMessage } from './host-messages.js';
import { relayTo } from './relay.js';
import { describeExit } from './exec.js';
import type { Mark } from './timeline.js';

/** A process that has the Pulumi program loaded. */
export interface ProgramHost {
  /** Where it serves the CLI as a language runtime, for `--client`: a call waits there while the program is loaded. */
  address: string;
  /** Lets it make containers. */
  allowStart: () => void;
  /** The stack's outputs, secrets in plain, as far as they are known: only an `up` that succeeds has them all. */
  outputs: () => unknown;
  /** What it did when, so far and from now on. */
  onMark: (listener: (mark: Mark) => void) => void;
  /** How the process has ended, if it did so by itself: what an operation failed by. */
  failure: () => string | undefined;
  end: () => Promise<void>;
}

/**
 * The Pulumi program with all its packages as one JavaScript file: each `up` loads it in a fifth of the time that its
 * sources and the SDK take file by file.
 * @param program the module that has it as its default.
 * @returns the file's path.
 */
export const compileProgram = (
  checkout: string,
  program = path.join(checkout, 'index.ts'),
): Promise<string> =>
  compile(
    checkout,
    `import program from ${JSON.stringify(program)}; import { serve } from './program-host.js'; serve(program);`,
  );

/**
 * Starts a process for one `up`, which loads the program while the CLI is still at other things.
 * @param env the whole environment of the process.
 * @param logFile takes what the program writes.
 */
export async function startProgramHost(
  program: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
  logFile: string,
): Promise<ProgramHost> {
  const log = outputFile(logFile, 'a', 0o600);
  // In a session of its own: Ctrl-C on a terminal is for the runner, which ends what it has begun in order.
  const host = execa(process.execPath, [bundleStarter, program], {
    cwd,
    env,
    extendEnv: false,
    detached: true,
    ipc: true,
    stdin: 'ignore',
    stdout: log,
    stderr: log,
    buffer: false,
    reject: false,
  });
  log.destroy();
  let outputs: unknown;
  const marks: Mark[] = [];
  let listener: ((mark: Mark) => void) | undefined;
  let failure: string | undefined;
  const listens = new Promise<string>((resolve, reject) => {
    host.on('message', (message: HostMessage) => {
      if ('mark' in message) {
        marks.push(message.mark);
        listener?.(message.mark);
        return;
      }
      if ('outputs' in message) {
        outputs = message.outputs;
        return;
      }
      resolve(message.address);
      // From now on it keeps nobody alive who has no use for it.
      host.unref();
      host.channel?.unref();
    });
    void host.then(({ exitCode, signal, originalMessage = '' }) => {
      const status =
        signal !== undefined
          ? ({ kind: 'signalled', signal } as const)
          : exitCode !== undefined
            ? ({ kind: 'exited', exitCode } as const)
            : ({ kind: 'not started', reason: originalMessage } as const);
      failure = `${describeExit('the process that runs the Pulumi program', status)}; see ${logFile}`;
      reject(new Error(failure));
    });
  });
  const relay = await relayTo(listens).catch(async (error: unknown) => {
    host.kill();
    await host;
    throw error;
  });
  return {
    address: relay.address,
    allowStart() {
      // One that has ended is noticed elsewhere.
      host.send(mayStartMessage, () => undefined);
    },
    outputs: () => outputs,
    onMark(tell) {
      for (const mark of marks) tell(mark);
      listener = tell;
    },
    failure: () => failure,
    async end() {
      relay.close();
      host.ref();
      host.kill();
      await host;
    },
  };
}
