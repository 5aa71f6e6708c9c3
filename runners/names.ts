import { createHash, randomInt } from 'node:crypto';

const slugLength = 20;
const stackSuiteLength = 30;
const digestLength = 4;

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

/** `<branch slug>-<run id>-<suite>`: at most 62 characters, Docker's and DNS's limit being 63. */
export function stackName(branchSlug: string, runId: string, suite: string): string {
  return `${branchSlug}-${runId}-${shorten(suite, stackSuiteLength)}`;
}

function shorten(text: string, length: number): string {
  const slug = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  if (slug === text && slug.length <= length) return slug;
  const digest = createHash('sha256').update(text).digest('hex').slice(0, digestLength);
  const kept = slug.slice(0, length - digestLength - 1).replace(/-+$/, '');
  return kept === '' ? digest : `${kept}-${digest}`;
}
