const unitsNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Reads a duration of Go's form, like `1m30s` or `1.5h`. @returns nanoseconds, undefined when it is not one. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g);
  return [...parts].reduce((sum, [, count, unit = '']) => sum + Number(count) * (unitsNs[unit] ?? 0), 0);
}

/** Writes nanoseconds as Go does: `1m30s`, `2m0s`, `1.5s`, `250ms`. */
export function formatDuration(ns: number): string {
  if (ns === 0) return '0s';
  const smaller = (['ns', 'µs', 'ms'] as const).find((unit) => ns < (unitsNs[unit] ?? 0) * 1000);
  if (smaller !== undefined) return `${ns / (unitsNs[smaller] ?? 1)}${smaller}`;
  const hours = Math.floor(ns / 3600e9);
  const minutes = Math.floor((ns % 3600e9) / 60e9);
  const seconds = `${(ns % 60e9) / 1e9}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
