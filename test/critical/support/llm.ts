import * as z from 'zod';
import { deadlines } from './deadlines.js';
import { environment } from './environment.js';
import { expectBody, send, type Answer } from './http.js';

const completionsUrl = `${environment.endpoints.llmUrl}/v1/chat/completions`;

const toolCall = z.object({
  id: z.string(),
  type: z.literal('function'),
  function: z.object({ name: z.string(), arguments: z.string() }),
});
const completion = z.object({
  object: z.literal('chat.completion'),
  model: z.string(),
  choices: z.tuple([
    z.object({
      index: z.literal(0),
      finish_reason: z.string(),
      message: z.object({
        role: z.literal('assistant'),
        content: z.string().nullable(),
        tool_calls: z.array(toolCall).optional(),
      }),
    }),
  ]),
});
const chunk = z.object({
  object: z.literal('chat.completion.chunk'),
  choices: z.array(
    z.object({
      delta: z.object({ content: z.string().nullish() }),
      finish_reason: z.string().nullish(),
    }),
  ),
});

export interface Conversation {
  messages: { role: 'system' | 'user' | 'assistant' | 'tool'; content: string }[];
  tools?: unknown[];
}

export function tryToComplete(conversation: Conversation): Promise<Answer> {
  return send('POST', completionsUrl, { body: { model: 'stand-in', ...conversation } });
}

/** What an LLM says, streamed or not. */
export interface LlmAnswer {
  content: string | null;
  calls: { name: string; arguments: unknown }[];
  finishReason: string;
}

/** The one choice of an answer that isn't streamed. */
export async function complete(conversation: Conversation): Promise<LlmAnswer> {
  const [{ message, finish_reason: finishReason }] = expectBody(
    await tryToComplete(conversation),
    200,
    completion,
  ).choices;
  const calls = (message.tool_calls ?? []).map(({ function: { name, arguments: json } }) => ({
    name,
    arguments: JSON.parse(json) as unknown,
  }));
  return { content: message.content, calls, finishReason };
}

/** The text of a streamed answer, put together. */
export async function streamText(conversation: Conversation): Promise<LlmAnswer> {
  const response = await fetch(completionsUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'stand-in', stream: true, ...conversation }),
    signal: AbortSignal.timeout(deadlines.replyMs),
  });
  const lines = (await response.text()).split('\n').filter((line) => line !== '');
  if (lines.at(-1) !== 'data: [DONE]') throw new Error(`the stream ended with ${String(lines.at(-1))}`);
  const choices = lines
    .slice(0, -1)
    .flatMap((line) => chunk.parse(JSON.parse(line.replace(/^data: /, ''))).choices);
  return {
    content: choices.map(({ delta }) => delta.content ?? '').join(''),
    calls: [],
    finishReason: choices.at(-1)?.finish_reason ?? 'none',
  };
}
