import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import * as z from 'zod';
import type { Outputs } from '../components/outputs.js';
import { withoutDownloads, type EngineEnvironment } from '../engine/setup.js';
import { awsRemedies } from './aws-remedies.js';
import { messageOf } from './errors.js';
import { describeExit, runProgram } from './exec.js';
import { lockHoldersOf, removeCopies, stackFilesOf, stateFileOf, watchState } from './file-backend.js';
import { backendOf } from './lease-book.js';
import { makeStack, pulumiCommand, StackError, StackLockedError } from './pulumi.js';
import { compileProgram, startProgramHost, type ProgramHost } from './program.js';
import type { Encryption } from './settings.js';
import { diagnosticsOf, parseOutputs } from './stack-output.js';
import {
  holdersInState,
  engineInState,
  extensionArguments,
  extensionInTags,
  labelsInState,
  type EngineInState,
  type StackLabels,
} from './stack-state.js';
import type { Mark } from './timeline.js';

export interface StackRequest {
  name: string;
  /** Belongs to this stack alone: project and settings files, logs. */
  folder: string;
  /** The stack's settings file, as `Pulumi.<stack>.yaml` has it. */
  settings: Encryption & { config: Record<string, unknown> };
}

export interface StandingStackRequest {
  name: string;
  /** Folder of the project and of the stack's settings. */
  project: string;
  logFolder: string;
  /** Settings to keep with the others of the stack, by key. No secrets: they are in the process list. */
  config: Readonly<Record<string, string>>;
}

export interface AdoptionRequest {
  name: string;
  /** Made for it, and keeps the log. */
  folder: string;
  /** Whoever holds a lock on the stack is taken for dead, unless he provably lives. */
  lockIsDead: boolean;
}

export interface Control {
  timeoutMs: number;
  /** Ends the operation early, in order. */
  signal?: AbortSignal;
  /** What the operation does right now. */
  onLine: (line: string) => void;
  /** For an `up`: no container is made, and the timeout doesn't begin, before it resolves. By default at once. */
  mayStart?: Promise<void> | undefined;
  /** Told what happened when, for the timeline. */
  onMark?: (mark: Mark) => void;
}

/** What a run needs of Pulumi. */
export interface StackEngine {
  /** Makes an empty stack. When it throws there is nothing to destroy. */
  create(request: StackRequest): Promise<Stack>;
}

/** Stacks that are there before a command, or after it. */
export interface StandingStacks {
  /** A stack that outlives the command, made when it is missing. Locks are as for `adopt`. */
  open(request: StandingStackRequest): Promise<Stack>;
  /**
   * A stack whose project folder may be gone, to be destroyed: its state knows all that this takes. The lock of a
   * provably dead holder is broken.
   * @throws StackLockedError when somebody who lives holds a lock on it.
   */
  adopt(request: AdoptionRequest): Promise<Stack>;
  /** Names of this project's stacks in the backend. */
  names(): Promise<string[]>;
  /** Whose a stack is, by its resources; undefined when none of them says so. */
  labelsOf(name: string): Promise<StackLabels | undefined>;
  /** Where a stack's containers are; undefined when it has none. */
  engineOf(name: string): Promise<EngineInState | undefined>;
  /** Until when a stack was prolonged, if it was: it wins over what the labels say. */
  extensionOf(name: string): Promise<string | undefined>;
  /** Lets a stack live until then: it is kept beside the state and goes with the stack. */
  extend(name: string, until: string): Promise<void>;
  /** The outputs of a stack that somebody else made, in the checkout. */
  outputsOf(stackName: string): Promise<Outputs>;
}

export interface Stack {
  /** Brings everything up. When it throws, parts may be there. */
  up(control: Control): Promise<Outputs>;
  /**
   * Names of the containers, and ids of the instances, that its state knows of: one whose making was cut short isn't
   * among them.
   */
  holders(): Promise<string[]>;
  /** Destroys everything and removes the stack. When it throws, the state is kept. */
  destroy(control: Control): Promise<void>;
  /** The shell command that finishes, or repeats, the destroy. */
  destroyCommand: string;
}

export const destroyCommandOf = (name: string): string => `npm run rehearsal -- down --stack ${name}`;

/** Loaded by the first operation: most commands have none. */
const serving = () => import('./serving.js');

/** Pulumi waits for what it has begun before it heeds a SIGINT. */
const graceMs = 10_000;

/**
 * Stacks made by the Pulumi CLI. Each has a project file in a folder of its own that points to the checkout's
 * program, so that nothing is written into the checkout.
 * @param env the whole environment of the CLI.
 * @param program gives the compiled program's file.
 */
export function pulumiStacks(
  pulumi: string,
  env: NodeJS.ProcessEnv,
  checkout: string,
  program = compiledOnce(checkout),
): StackEngine & StandingStacks {
  const quick = pulumiCommand(pulumi, env);
  const outputs = async (stackName: string, cwd: string): Promise<Outputs> => {
    const text = await quick(['stack', 'output', '--json', '--show-secrets', '--stack', stackName], cwd);
    return parseOutputs(JSON.parse(text), stackName);
  };

  const startProgram = async (folder: string, logFolder: string): Promise<ProgramHost> =>
    startProgramHost(await program(), folder, env, path.join(logFolder, 'program.log'));

  /** @param loading a process for the first `up`, which loads the program already. */
  const stackIn = (name: string, folder: string, logFolder: string, loading?: ProgramHost): Stack => {
    let lockLeft = false;
    const operation = async (verb: string, args: string[], control: Control): Promise<void> => {
      const logFile = path.join(logFolder, `${verb}.log`);
      const { withProviders } = await serving();
      const endWatch = watchState(backendOf(env), name, (atMs) => {
        control.onMark?.({ name: 'state written', atMs });
      });
      const result = await withProviders(env, checkout, (attached) =>
        runProgram({
          command: pulumi,
          args: [
            verb,
            ...['--stack', name, '--yes', '--skip-preview', '--suppress-outputs'],
            ...['--non-interactive', '--color', 'never', ...args],
          ],
          cwd: folder,
          env: verb === 'up' ? { ...attached, ...withoutDownloads } : attached,
          logFile,
          graceMs,
          timeoutFrom: control.mayStart,
          ...control,
        }),
      ).finally(endWatch);
      lockLeft = result.killed;
      if (result.status.kind === 'exited' && result.status.exitCode === 0) return;
      const diagnostics = diagnosticsOf(logFile);
      throw new StackError(
        [describeExit(`pulumi ${verb}`, result.status), diagnostics, ...awsRemedies(diagnostics)]
          .join('\n')
          .trimEnd(),
      );
    };
    return {
      destroyCommand: destroyCommandOf(name),
      async up(control) {
        const host = loading ?? (await startProgram(folder, logFolder));
        loading = undefined;
        if (control.onMark !== undefined) host.onMark(control.onMark);
        const { mayStart = Promise.resolve() } = control;
        // Where it never may, the signal ends it.
        mayStart.then(host.allowStart, () => undefined);
        try {
          await operation('up', ['--client', host.address, '--exec-kind', 'auto.inline'], control);
          return parseOutputs(host.outputs(), name);
        } catch (error) {
          const failure = host.failure();
          // Of a program that is gone the CLI itself says no more than "EOF".
          throw failure === undefined ? error : new StackError(`${failure}\n${messageOf(error)}`);
        } finally {
          await host.end();
        }
      },
      async holders() {
        return holdersInState(await quick(['stack', 'export', '--stack', name], folder));
      },
      async destroy(control) {
        await loading?.end();
        // Only a command of ours that had to be killed leaves a lock that we know to be dead.
        if (lockLeft) await quick(['cancel', name, '--yes'], folder);
        const { withoutProgram } = await serving();
        await withoutProgram((client) => operation('destroy', ['--remove', ...client], control));
        await removeCopies(backendOf(env), name);
      },
    };
  };

  const makeProject = async (folder: string): Promise<void> => {
    await mkdir(folder, { recursive: true });
    const text = await readFile(path.join(checkout, 'Pulumi.yaml'), 'utf8');
    const project = parse(text) as Record<string, unknown>;
    await writeFile(path.join(folder, 'Pulumi.yaml'), stringify({ ...project, main: `${checkout}/` }));
  };

  const exported = async (name: string): Promise<string> => {
    try {
      return await quick(['stack', 'export', '--stack', name], checkout);
    } catch (cause) {
      const file = stateFileOf(backendOf(env), name);
      if (file === undefined) throw cause;
      const copy = existsSync(`${file}.bak`) ? `; the state before it is in ${file}.bak` : '';
      throw new StackError(`${file} can't be read: ${messageOf(cause)}${copy}`, { cause });
    }
  };

  const breakDeadLock = async (name: string, cwd: string, lockIsDead: boolean): Promise<void> => {
    const { alive, dead, unknown } = await lockHoldersOf(backendOf(env), name);
    if (alive.length > 0) {
      throw new StackLockedError(`stack ${name} is locked: process ${alive.join(', ')} is at work on it`);
    }
    if (lockIsDead || (dead > 0 && unknown === 0)) await quick(['cancel', name, '--yes'], cwd);
  };

  return {
    outputsOf: (stackName) => outputs(stackName, checkout),
    async create({ name, folder, settings }) {
      await makeProject(folder);
      const settingsFile = path.join(folder, `Pulumi.${name}.yaml`);
      await writeFile(settingsFile, stringify(settings), { mode: 0o600 });
      const host = await startProgram(folder, folder);
      try {
        // Early, so that the destroy has it whatever becomes of the checkout, and while the program loads.
        await serving();
        await makeStack(quick, env, folder, name, settings);
      } catch (error) {
        await host.end();
        throw error;
      }
      return stackIn(name, folder, folder, host);
    },
    async open({ name, project, logFolder, config }) {
      await mkdir(logFolder, { recursive: true });
      await quick(['stack', 'select', name, '--create'], project);
      await breakDeadLock(name, project, false);
      const pairs = Object.entries(config).flatMap(([key, value]) => ['--plaintext', `${key}=${value}`]);
      if (pairs.length > 0) await quick(['config', 'set-all', '--stack', name, ...pairs], project);
      return stackIn(name, project, logFolder);
    },
    async adopt({ name, folder, lockIsDead }) {
      await makeProject(folder);
      await breakDeadLock(name, folder, lockIsDead);
      return stackIn(name, folder, folder);
    },
    async names() {
      try {
        const listed = await quick(['stack', 'ls', '--json'], checkout);
        return stackListSchema.parse(JSON.parse(listed)).map(({ name }) => name.replace(/^.*\//, ''));
      } catch (error) {
        // The CLI lists nothing at all when it can't read one of the states: a full disk may have cut that short.
        const files = await stackFilesOf(backendOf(env)).catch(() => undefined);
        if (files === undefined) throw error;
        return files;
      }
    },
    async labelsOf(name) {
      return labelsInState(await exported(name));
    },
    async engineOf(name) {
      return engineInState(await exported(name));
    },
    async extensionOf(name) {
      return extensionInTags(await quick(['stack', 'tag', 'ls', '--json', '--stack', name], checkout));
    },
    async extend(name, until) {
      await quick(extensionArguments(name, until), checkout);
    },
  };
}

function compiledOnce(checkout: string): () => Promise<string> {
  let compiled: Promise<string> | undefined;
  return () => (compiled ??= compileProgram(checkout));
}

/** The stacks that outlive a command. */
export function standingStacks({ pulumi, env }: EngineEnvironment, checkout: string): StandingStacks {
  return pulumiStacks(pulumi, { ...process.env, ...env }, checkout);
}

/** A backend in the cloud puts the organisation and a slash before the name. */
const stackListSchema = z.array(z.object({ name: z.string() }));
