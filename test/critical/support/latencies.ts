import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { environment } from './environment.js';
import type { ReceivedEvent } from './events.js';
import { stalledMs } from './sockets.js';

const file = join(environment.resultsFolder, 'latencies.jsonl');
mkdirSync(environment.resultsFolder, { recursive: true });

/** From the server's emit to the client's receipt, both clocks being this machine's. */
export const latencyMs = ({ emittedAt, receivedAt }: ReceivedEvent): number => receivedAt - emittedAt;

/** Appends a line per event that was delivered, as it was emitted, to the user it was meant for. */
export function recordLatencies(events: ReceivedEvent[]): void {
  const { currentTestName: test } = expect.getState();
  const lines = events.map((event) => {
    const { type, userId, runId, seq, emittedAt, receivedAt } = event;
    const stalled = stalledMs(emittedAt, receivedAt);
    const line = {
      ...{ test, type, userId, runId, seq, emittedAt, receivedAt, latencyMs: latencyMs(event) },
      ...(stalled === 0 ? {} : { stalledMs: stalled }),
    };
    return `${JSON.stringify(line)}\n`;
  });
  appendFileSync(file, lines.join(''));
}
