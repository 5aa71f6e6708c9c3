import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import * as z from 'zod';
import { AgentError } from './events.js';
import { serverSentEvents } from './sse.js';

export interface ToolCall {
  id: string;
  name: string;
  /** JSON, as the LLM wrote it: not checked yet. */
  arguments: string;
}

export type ChatMessage =
  | { role: 'system' | 'user'; content: string }
  | { role: 'assistant'; content: string; toolCalls?: ToolCall[] }
  | { role: 'tool'; content: string; toolCallId: string };

export interface ToolDescription {
  name: string;
  description: string;
  /** JSON schema of the arguments. */
  parameters: object;
}

export interface LlmReply {
  content: string;
  toolCalls: ToolCall[];
}

export interface LlmClient {
  /** @throws AgentError `llm_error`, `llm_timeout`, `llm_invalid_response`. */
  complete(
    messages: readonly ChatMessage[],
    tools: readonly ToolDescription[],
    signal: AbortSignal,
  ): Promise<LlmReply>;
  /** Rejects when the server doesn't answer. */
  ping(): Promise<void>;
}

export interface LlmSettings {
  /** Up to and with `/v1`. */
  baseUrl: string;
  model: string;
  apiKey: string;
  timeoutMs: number;
}

const maxReplyCharacters = 1024 * 1024;

const chunkSchema = z.object({
  choices: z.array(
    z.object({
      delta: z.object({
        content: z.string().nullish(),
        tool_calls: z
          .array(
            z.object({
              index: z.int().min(0).max(31),
              id: z.string().nullish(),
              function: z.object({ name: z.string().nullish(), arguments: z.string().nullish() }).nullish(),
            }),
          )
          .nullish(),
      }),
      finish_reason: z.string().nullish(),
    }),
  ),
});

/** A client for any server that speaks OpenAI's chat completions with streaming. */
export function createLlmClient({ baseUrl, model, apiKey, timeoutMs }: LlmSettings): LlmClient {
  const root = baseUrl.replace(/\/+$/, '');
  const headers = apiKey === '' ? {} : { authorization: `Bearer ${apiKey}` };
  // `fetch` costs three times as much for each reply, most of it in its web streams.
  const client = new URL(root).protocol === 'https:' ? https : http;
  const agent = new client.Agent({ keepAlive: true });

  async function send(
    method: string,
    path: string,
    signal: AbortSignal,
    body = '',
  ): Promise<IncomingMessage> {
    const request = client.request(`${root}${path}`, {
      method,
      agent,
      headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      signal,
    });
    // After the response has come, the response tells what fails.
    request.on('error', () => undefined);
    request.end(body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  }

  async function request(body: string, signal: AbortSignal): Promise<LlmReply> {
    const response = await send('POST', '/chat/completions', signal, body);
    const { statusCode, headers } = response;
    if (statusCode !== 200) {
      response.destroy();
      throw new AgentError('llm_error', `The LLM answered with HTTP ${statusCode}.`);
    }
    if (!headers['content-type']?.startsWith('text/event-stream')) {
      response.destroy();
      throw new AgentError(
        'llm_invalid_response',
        'The LLM answered with something other than a stream of events.',
      );
    }
    return readStream(response);
  }

  return {
    async complete(messages, tools, signal) {
      signal.throwIfAborted();
      const deadline = new AbortController();
      const timer = setTimeout(() => deadline.abort(), timeoutMs);
      const forward = (): void => deadline.abort();
      signal.addEventListener('abort', forward, { once: true });
      try {
        return await request(requestBody(model, messages, tools), deadline.signal);
      } catch (cause) {
        if (cause instanceof AgentError) throw cause;
        if (signal.aborted) throw signal.reason;
        if (deadline.signal.aborted) {
          throw new AgentError('llm_timeout', `The LLM did not finish within ${timeoutMs} ms.`, { cause });
        }
        throw new AgentError('llm_error', 'The connection to the LLM failed.', { cause });
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', forward);
      }
    },
    async ping() {
      const response = await send('GET', '/models', AbortSignal.timeout(timeoutMs));
      response.resume();
      if (response.statusCode !== 200) throw new Error(`GET ${root}/models: HTTP ${response.statusCode}`);
    },
  };
}

function requestBody(
  model: string,
  messages: readonly ChatMessage[],
  tools: readonly ToolDescription[],
): string {
  return JSON.stringify({
    model,
    stream: true,
    messages: messages.map(toWire),
    ...(tools.length === 0 ? {} : { tools: tools.map((tool) => ({ type: 'function', function: tool })) }),
  });
}

function toWire(message: ChatMessage): object {
  if (message.role === 'tool') {
    return { role: 'tool', tool_call_id: message.toolCallId, content: message.content };
  }
  if (message.role !== 'assistant' || message.toolCalls === undefined) {
    return { role: message.role, content: message.content };
  }
  return {
    role: 'assistant',
    content: message.content,
    tool_calls: message.toolCalls.map((call) => ({
      id: call.id,
      type: 'function',
      function: { name: call.name, arguments: call.arguments },
    })),
  };
}

async function readStream(body: IncomingMessage): Promise<LlmReply> {
  let content = '';
  const calls = new Map<number, ToolCall>();
  let finished = false;
  let characters = 0;
  for await (const data of serverSentEvents(body)) {
    // Read to its end, the connection can be used again.
    if (data === '[DONE]') continue;
    characters += data.length;
    if (characters > maxReplyCharacters) throw invalid('The LLM sent more than a reply may hold.');
    for (const { delta, finish_reason: finishReason } of readChunk(data).choices) {
      content += delta.content ?? '';
      for (const piece of delta.tool_calls ?? []) {
        const call = calls.get(piece.index) ?? { id: '', name: '', arguments: '' };
        calls.set(piece.index, call);
        call.id += piece.id ?? '';
        call.name += piece.function?.name ?? '';
        call.arguments += piece.function?.arguments ?? '';
      }
      finished ||= Boolean(finishReason);
    }
  }
  if (!finished) throw invalid("The LLM's stream ended before the reply did.");
  const toolCalls = [...calls.values()];
  if (toolCalls.some((call) => call.id === '' || call.name === ''))
    throw invalid('The LLM called a tool without id or name.');
  return { content, toolCalls };
}

function readChunk(data: string): z.infer<typeof chunkSchema> {
  try {
    return chunkSchema.parse(JSON.parse(data));
  } catch (cause) {
    throw invalid('The LLM sent an event that is no part of a reply.', cause);
  }
}

function invalid(message: string, cause?: unknown): AgentError {
  return new AgentError('llm_invalid_response', message, { cause });
}
