/**
 * Every label key that this project puts on a container, volume or network. Cleanup finds leftovers by
 * them, so a key is never spelled anywhere else.
 */
export const labelKeys = {
  /** Id of the run, or the stack's name for a stack made by hand. */
  run: 'rehearsal.run',
  /** Name of the suite the environment was made for, `none` for a stack made by hand. */
  suite: 'rehearsal.suite',
  /** Slug of the branch under test. */
  branch: 'rehearsal.branch',
  /** Who is responsible for the stack. */
  owner: 'rehearsal.owner',
  /** Full stack name. */
  stack: 'rehearsal.stack',
  /** Service name, on containers and volumes. */
  service: 'rehearsal.service',
  /** End of life, ISO 8601, UTC, by the clock of the machine that ran the first `up`. */
  expiresAt: 'rehearsal.expires-at',
} as const;

export interface RunLabels {
  run: string;
  suite: string;
  branch: string;
  owner: string;
  stack: string;
}
