import type { AgentEvent } from '../../critical/support/events.js';
import type { Selector } from './event-faults.js';

export function wrongResult({ data }: AgentEvent): void {
  if ('result' in data) data.result = 'wrong';
}

export function wrongCall({ data }: AgentEvent): void {
  if ('callId' in data) data.callId = 'other';
}

export function wrongAnswer({ data }: AgentEvent): void {
  if ('content' in data) data.content = 'wrong';
}

export const handover: Selector = ({ event }) =>
  event.type === 'agent_handoff' && event.data.from === 'writer';

export const reviewersTurn: Selector = ({ event }) => event.agent === 'reviewer';

/** Everything from the second hand-over to the refiner until the reviewer has judged what came of it. */
export function secondRevision(): Selector {
  const skipped = new Set<string>();
  return ({ event }) => {
    const { runId, agent } = event;
    if (event.type === 'agent_handoff' && event.data.from === 'reviewer') {
      if (event.data.revision === 1) skipped.add(runId);
      else skipped.delete(runId);
    }
    return skipped.has(runId) && !(agent === 'write-review-refine' && event.type === 'agent_completed');
  };
}
