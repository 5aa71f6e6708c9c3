import { DependencyError, type DependencyCode } from '../../shared/errors.js';

export type EventType =
  | 'agent_started'
  | 'agent_thinking'
  | 'tool_executing'
  | 'tool_completed'
  | 'agent_handoff'
  | 'agent_completed'
  | 'agent_failed';

export interface AgentEvent {
  type: EventType;
  agent: string;
  data: Record<string, unknown>;
}

/** Resolves when the event is in the thread's history and on its way to the subscribers. */
export type Emit = (event: AgentEvent) => Promise<void>;

export type FailureCode =
  'llm_error' | 'llm_timeout' | 'llm_invalid_response' | 'step_limit' | 'internal' | DependencyCode;

/** Ends an agent's run: `code` and `message` are what `agent_failed` tells. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  constructor(
    readonly code: FailureCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export function toAgentError(error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  if (error instanceof DependencyError) return new AgentError(error.code, error.message, { cause: error });
  return new AgentError('internal', 'The run failed inside the server.', { cause: error });
}
