import { pino, type Logger } from 'pino';

export type { Logger };

/** One JSON object a line on stdout. */
export function createLogger(service: string, fields: Record<string, unknown> = {}): Logger {
  return pino({
    base: { service, ...fields },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (level) => ({ level }) },
  });
}
