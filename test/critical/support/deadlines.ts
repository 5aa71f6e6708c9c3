/**
 * How long a suite waits for something before it calls it missing. They are generous on purpose: a slow
 * machine isn't a failure of the application; only the event latency has a limit of its own.
 */
export const deadlines = {
  /** One HTTP request, one SQL query, one frame that answers a frame. */
  replyMs: 15_000,
  /** From a message to the last event of its run, where the LLM answers. */
  runMs: 30_000,
  /** The same where the LLM never answers: the backend's own LLM_TIMEOUT_MS passes first. */
  hangingRunMs: 60_000,
  /** A service's account of its own health, asked for when a test has failed; the backend takes 3 s for it. */
  symptomMs: 10_000,
  /** From an event to its row in ClickHouse; the backend promises one second. */
  eventRowsMs: 10_000,
  /** From a token's expiry to its refusal. */
  expiryMs: 15_000,
  /** What the chat page does after a click. */
  pageMs: 60_000,
  /** From an event that another client has received to the page that shows it. */
  shownMs: 15_000,
};

/** For a whole test, above every sum of the deadlines in it, so that the deadline's own message is seen. */
export const testTimeoutMs = 180_000;
