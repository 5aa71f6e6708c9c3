import { createHash, randomInt } from 'node:crypto';
import { ConfigError } from '../components/config.js';

const slugLength = 20;
const stackSuiteLength = 30;
/** In base 36: among a million branches two share one with a chance of 1 in 7,000. */
const digestLength = 10;
/** What never comes of simplifying a name, and so tells the parts of a made-up one apart. */
const seam = '--';

/** Sorts by time, safe in file, stack and host names, and not made twice: 10 letters and digits. */
export function newRunId(nowMs: number): string {
  const seconds = Math.floor(nowMs / 1000)
    .toString(36)
    .padStart(6, '0');
  const random = randomInt(36 ** 4)
    .toString(36)
    .padStart(4, '0');
  return `${seconds}${random}`;
}

/**
 * A branch's name as labels and stack names can have it: lower-case letters, digits and dashes, at most 20.
 * Two branches never share a slug: where letters were lost, a digest of the whole name stands in for them.
 */
export function slugOf(branch: string): string {
  return shorten(branch, slugLength);
}

/** `<branch slug>--<run id>-<suite>`: at most 63 characters, which is Docker's and DNS's limit. */
export function stackName(branchSlug: string, runId: string, suite: string): string {
  return `${branchSlug}${seam}${runId}-${shorten(suite, stackSuiteLength)}`;
}

/** Whether a run of this branch made the stack. */
export function isStackOf(branchSlug: string, name: string): boolean {
  const prefix = `${branchSlug}${seam}`;
  // A digest is as long as a run id, but a seam follows it: `fix--<digest>--…` is no stack of branch `fix`.
  return name.startsWith(prefix) && /^[a-z0-9]{10}-[a-z0-9]/.test(name.slice(prefix.length));
}

function shorten(text: string, length: number): string {
  const simple = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  if (simple === text && simple !== '' && simple.length <= length) return simple;
  const kept = simple.slice(0, length - seam.length - digestLength).replace(/-$/, '');
  return `${kept === '' ? 'branch' : kept}${seam}${digestOf(text)}`;
}

function digestOf(text: string): string {
  const digest = createHash('sha256').update(text).digest('hex');
  return (BigInt(`0x${digest}`) % 36n ** BigInt(digestLength)).toString(36).padStart(digestLength, '0');
}

/** @throws ConfigError that names the stacks there are. */
export function assertIsOneOf(stacks: readonly string[], stack: string): void {
  if (stacks.includes(stack)) return;
  const known = stacks.length === 0 ? 'there is none at all' : `there are ${stacks.join(', ')}`;
  throw new ConfigError([`--stack ${stack}: there is no such stack; ${known}`], 'the command line');
}
