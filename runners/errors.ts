/** An error's message with those of its causes. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!(error.cause instanceof Error)) return error.message;
  const cause = messageOf(error.cause);
  // Many messages quote their cause already.
  return error.message.includes(cause) ? error.message : `${error.message}: ${cause}`;
}
