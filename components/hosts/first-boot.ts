import * as z from 'zod';
import { DeadlineExceededError, systemClock, waitUntil, type Clock } from '../../engine/wait.js';
import { readyFile } from './cloud-init.js';

interface ShellResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs a shell script on a host by ssh. Exit code 255 is ssh's own: it did not get that far. */
export type RemoteShell = (script: string) => Promise<ShellResult>;

interface WaitForFirstBootArgs {
  /** For people. */
  host: string;
  shell: RemoteShell;
  clock?: Clock;
}

/** From the instance's start to sshd's. EC2 says "running" long before. */
const sshDeadlineMs = 3 * 60_000;
/** Updated package lists, Docker's download and its start. */
const cloudInitDeadlineMs = 6 * 60_000;
const intervalMs = 2_000;
const quotedLines = 20;
const sshFailed = 255;

/** Of cloud-init's own result file. */
const resultSchema = z.object({ v1: z.object({ errors: z.array(z.string()) }) });

/**
 * Waits until a new host lets its user in, cloud-init has come to its end there, and Docker answers.
 * @throws Error that says what didn't, with the last lines of cloud-init's log.
 */
export async function waitForFirstBoot({
  host,
  shell,
  clock = systemClock,
}: WaitForFirstBootArgs): Promise<void> {
  const wait = { intervalMs, clock };
  await waitUntil(
    () => shell('true'),
    ({ exitCode }) => exitCode === 0,
    { ...wait, what: `ssh to ${host}`, deadlineMs: sshDeadlineMs },
  ).catch((error: unknown) => {
    throw withLines(error, lastSeen(error)?.stderr);
  });
  const { stdout } = await waitUntil(
    () => shell('cat /run/cloud-init/result.json'),
    // ssh's own failure may be a moment's; as long as the file isn't there, cat fails.
    ({ exitCode }) => exitCode === 0,
    { ...wait, what: `cloud-init on ${host}`, deadlineMs: cloudInitDeadlineMs },
  ).catch(async (error: unknown) => {
    const seen = lastSeen(error);
    throw withLines(error, seen?.exitCode === sshFailed ? seen.stderr : await logOf(shell));
  });
  const { errors } = resultSchema.parse(JSON.parse(stdout)).v1;
  if ((await shell(`test -e ${readyFile}`)).exitCode === 0 && errors.length === 0) return;
  const reasons = errors.length === 0 ? 'Docker did not answer there' : errors.join('; ');
  throw withLines(new Error(`cloud-init failed on ${host}: ${reasons}`), await logOf(shell));
}

async function logOf(shell: RemoteShell): Promise<string> {
  const { exitCode, stdout, stderr } = await shell(
    `sudo -n tail -n ${String(quotedLines)} /var/log/cloud-init-output.log`,
  );
  return exitCode === 0 ? `last lines of its log:\n${stdout}` : `its log can't be read: ${stderr}`;
}

const lastSeen = (error: unknown): ShellResult | undefined =>
  error instanceof DeadlineExceededError ? (error.lastSeen as ShellResult) : undefined;

function withLines(error: unknown, lines: string | undefined): unknown {
  if (!(error instanceof Error) || lines === undefined) return error;
  return new Error(`${error.message}\n${lines.trimEnd()}`, { cause: error });
}
