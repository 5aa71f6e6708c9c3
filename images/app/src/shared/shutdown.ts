import { type Logger } from './log.js';

const deadlineMs = 900;

/** Runs `close` at the first SIGTERM or SIGINT and ends the process, at the latest after 900 ms. */
export function onShutdown(logger: Logger, close: () => Promise<void>): void {
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'ending after an error that nobody handled');
    process.exit(1);
  });
  let closing = false;
  const stop = (signal: string): void => {
    if (closing) return;
    closing = true;
    logger.info({ signal }, 'stopping');
    setTimeout(() => process.exit(0), deadlineMs);
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
