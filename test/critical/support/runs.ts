import type { ExpectedEvent } from './order.js';

export interface ToolCall {
  tool: string;
  arguments: unknown;
  result: unknown;
}

/** The calculator's part in the answer to `calculate <expression>`. */
export const calculation = (expression: string, result: number): ToolCall => ({
  tool: 'calculator',
  arguments: { expression },
  result,
});

/** The events of an agent's run that ends well: one step per tool call, and one for the answer. */
export function expectedRun(
  run: { input: string; calls?: readonly ToolCall[]; content: string },
  agent = 'assistant',
): ExpectedEvent[] {
  const calls = run.calls ?? [];
  const steps = calls.length + 1;
  return [
    { type: 'agent_started', agent, data: { input: run.input } },
    ...calls.flatMap(({ tool, arguments: given, result }, index): ExpectedEvent[] => [
      { type: 'agent_thinking', agent, data: { step: index + 1 } },
      { type: 'tool_executing', agent, data: { tool, arguments: given } },
      { type: 'tool_completed', agent, data: { tool, ok: true, result } },
    ]),
    { type: 'agent_thinking', agent, data: { step: steps } },
    { type: 'agent_completed', agent, data: { content: run.content, steps } },
  ];
}

/** The events of a run in which the first call to the LLM fails. */
export function expectedFailure(input: string, error: string, agent = 'assistant'): ExpectedEvent[] {
  return [
    { type: 'agent_started', agent, data: { input } },
    { type: 'agent_thinking', agent, data: { step: 1 } },
    { type: 'agent_failed', agent, data: { error } },
  ];
}
