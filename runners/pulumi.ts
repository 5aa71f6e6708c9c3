import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { execa } from 'execa';
import { makeStackFile } from './file-backend.js';
import { backendOf } from './lease-book.js';
import type { Encryption } from './settings.js';

const timeoutMs = 60_000;

/** A Pulumi operation that failed. The message quotes what Pulumi said. */
export class StackError extends Error {
  override readonly name = 'StackError';
}

/** Somebody who provably lives is at work on the stack. */
export class StackLockedError extends Error {
  override readonly name = 'StackLockedError';
}

/** Runs a command that only reads or writes settings and state. @returns its stdout. @throws StackError */
export type PulumiCommand = (args: readonly string[], cwd: string) => Promise<string>;

/** @param env the whole environment of the CLI. */
export function pulumiCommand(pulumi: string, env: NodeJS.ProcessEnv): PulumiCommand {
  return async (args, cwd) => {
    const result = await execa(pulumi, [...args, '--non-interactive', '--color', 'never'], {
      cwd,
      env,
      extendEnv: false,
      stdin: 'ignore',
      timeout: timeoutMs,
      reject: false,
    });
    if (!result.failed) return result.stdout;
    throw new StackError(
      `pulumi ${args.slice(0, 2).join(' ')} failed: ${result.stderr || result.shortMessage}`,
    );
  };
}

/**
 * Makes an empty stack. When it throws there is none.
 * @param env the whole environment of the CLI.
 * @param folder of the stack's project and settings.
 */
export async function makeStack(
  command: PulumiCommand,
  env: NodeJS.ProcessEnv,
  folder: string,
  name: string,
  encryption: Encryption,
): Promise<void> {
  // Without a passphrase the CLI makes no stack, and says why.
  const isPlain = encryption.secretsprovider === undefined && (await isPassphraseThere(env));
  if (isPlain && (await makeStackFile(backendOf(env), name))) return;
  await command(initCommand(name, encryption), folder);
}

async function isPassphraseThere(env: NodeJS.ProcessEnv): Promise<boolean> {
  if (env['PULUMI_CONFIG_PASSPHRASE'] !== undefined) return true;
  const file = env['PULUMI_CONFIG_PASSPHRASE_FILE'];
  if (file === undefined) return false;
  return access(file, constants.R_OK).then(
    () => true,
    () => false,
  );
}

/**
 * The command that makes an empty stack. The CLI takes no notice of the secrets provider that the settings file
 * names.
 * @param encryption of the stack's settings.
 */
export function initCommand(name: string, { secretsprovider }: Encryption): string[] {
  const provider = secretsprovider === undefined ? [] : ['--secrets-provider', secretsprovider];
  return ['stack', 'init', name, '--no-select', ...provider];
}
