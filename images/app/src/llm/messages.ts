import * as z from 'zod';

const messageSchema = z.looseObject({
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  content: z.string().nullish(),
});

/** The part of OpenAI's chat completion request that the stand-in looks at. */
export const completionRequestSchema = z.looseObject({
  model: z.string().min(1),
  messages: z.array(messageSchema).min(1),
  stream: z.boolean().default(false),
});
export type CompletionRequest = z.infer<typeof completionRequestSchema>;
export type Message = z.infer<typeof messageSchema>;

export interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

export type Reply =
  | { kind: 'text'; text: string }
  | { kind: 'tool'; call: ToolCall }
  | { kind: 'error' }
  | { kind: 'hang' }
  | { kind: 'garbage' };
