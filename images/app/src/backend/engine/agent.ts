import { AgentError, toAgentError, type Emit } from './events.js';
import { type ChatMessage, type LlmClient } from './llm-client.js';
import { readArguments, runTool, toolDescriptions, type ToolContext } from './tools.js';

/** What every agent of one run shares. */
export interface RunContext {
  llm: LlmClient;
  emit: Emit;
  /** Has what is remembered of the user at hand. */
  remember: () => Promise<void>;
  tools: ToolContext;
  maxSteps: number;
  maxRevisions: number;
  /** Aborted when the process stops. */
  signal: AbortSignal;
  /** Counted as the run goes, so that a failed run's are known too. */
  progress: { steps: number; revisions: number };
}

/** `data` of `agent_completed`. */
export interface Outcome {
  content: string;
  steps: number;
  revisions?: number;
  approved?: boolean;
}

/** Makes an agent's end durable. Called before the event that tells of it. */
export interface Settle {
  completed(outcome: Outcome): Promise<void>;
  failed(error: AgentError): Promise<void>;
}

/** An agent inside a pipeline: nothing of its own is stored. */
export const settleNothing: Settle = { completed: async () => {}, failed: async () => {} };

/**
 * The frame of every agent: `agent_started`, the work, then `agent_completed` or `agent_failed`.
 * @throws AgentError that was told as `agent_failed`; whatever `settle` or the emit of the end throws.
 */
export async function performAgent(
  { emit }: RunContext,
  agent: string,
  input: string,
  work: () => Promise<Outcome>,
  settle: Settle,
): Promise<Outcome> {
  let outcome: Outcome;
  try {
    await emit({ type: 'agent_started', agent, data: { input } });
    outcome = await work();
    await settle.completed(outcome);
  } catch (error) {
    const failure = toAgentError(error);
    await settle.failed(failure);
    await emit({ type: 'agent_failed', agent, data: { error: failure.code, message: failure.message } });
    throw failure;
  }
  await emit({ type: 'agent_completed', agent, data: { ...outcome } });
  return outcome;
}

/** Asks the LLM, runs the tools that it calls and asks again until it answers with text alone. */
export async function converse(
  { llm, emit, tools, maxSteps, signal, progress }: RunContext,
  agent: string,
  conversation: readonly ChatMessage[],
  { withTools }: { withTools: boolean },
): Promise<Outcome> {
  const messages = [...conversation];
  for (let step = 1; step <= maxSteps; step += 1) {
    progress.steps += 1;
    await emit({ type: 'agent_thinking', agent, data: { step } });
    const reply = await llm.complete(messages, withTools ? toolDescriptions : [], signal);
    if (reply.toolCalls.length === 0) return { content: reply.content, steps: step };
    messages.push({ role: 'assistant', content: reply.content, toolCalls: reply.toolCalls });
    for (const { id: callId, name: tool, arguments: json } of reply.toolCalls) {
      const args = readArguments(json);
      await emit({ type: 'tool_executing', agent, data: { callId, tool, arguments: args } });
      const outcome = await runTool(tool, args, tools);
      await emit({ type: 'tool_completed', agent, data: { callId, tool, ...outcome } });
      const told = outcome.ok ? { result: outcome.result } : { error: outcome.error };
      messages.push({ role: 'tool', toolCallId: callId, content: JSON.stringify(told) });
    }
  }
  throw new AgentError('step_limit', `No answer after ${maxSteps} steps.`);
}
