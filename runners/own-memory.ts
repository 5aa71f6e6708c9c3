const intervalMs = 1_000;
const bytesPerMb = 1024 * 1024;

/** Samples this process's own resident memory once a second. */
export function watchOwnMemory(): { peakMb(): number; stop(): void } {
  let peakBytes = 0;
  const look = (): void => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
  };
  const timer = setInterval(look, intervalMs);
  timer.unref();
  return {
    peakMb() {
      look();
      return peakBytes / bytesPerMb;
    },
    stop() {
      clearInterval(timer);
    },
  };
}
