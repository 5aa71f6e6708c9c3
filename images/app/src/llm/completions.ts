import { createHash } from 'node:crypto';
import { type CompletionRequest, type Reply } from './messages.js';

type Answer = Extract<Reply, { kind: 'text' | 'tool' }>;

/** The body of an answer without streaming. */
export function completion(request: CompletionRequest, answer: Answer): object {
  return {
    ...header(request, 'chat.completion'),
    choices: [
      { index: 0, message: { role: 'assistant', ...contentOf(answer) }, finish_reason: finishReason(answer) },
    ],
    usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
  };
}

/** The server-sent events of a streamed answer: the text word by word, the tool call in two pieces. */
export function* completionStream(request: CompletionRequest, answer: Answer): Generator<string> {
  // Once: it is a digest of the whole conversation.
  const head = header(request, 'chat.completion.chunk');
  const chunk = (delta: object, finish: string | null = null): string =>
    event(JSON.stringify({ ...head, choices: [{ index: 0, delta, finish_reason: finish }] }));
  yield chunk({ role: 'assistant', content: answer.kind === 'text' ? '' : null });
  if (answer.kind === 'text') {
    for (const piece of answer.text.match(/\s*\S+\s*$|\s*\S+/g) ?? []) yield chunk({ content: piece });
  } else {
    const { id, type, function: called } = answer.call;
    yield chunk({ tool_calls: [{ index: 0, id, type, function: { name: called.name, arguments: '' } }] });
    yield chunk({ tool_calls: [{ index: 0, function: { arguments: called.arguments } }] });
  }
  yield chunk({}, finishReason(answer));
  yield event('[DONE]');
}

/** What a broken proxy might send: half an object, then something that is no event at all. */
export function* garbageStream(): Generator<string> {
  yield event('{"choices":[{"delta":{"content":"half a');
  yield '<html>502 Bad Gateway</html>\n\n';
}

function event(data: string): string {
  return `data: ${data}\n\n`;
}

function header(request: CompletionRequest, object: string): object {
  const digest = createHash('sha256').update(JSON.stringify(request.messages)).digest('hex');
  return { id: `chatcmpl-${digest.slice(0, 24)}`, object, created: 0, model: request.model };
}

function contentOf(answer: Answer): object {
  return answer.kind === 'text' ? { content: answer.text } : { content: null, tool_calls: [answer.call] };
}

function finishReason(answer: Answer): string {
  return answer.kind === 'text' ? 'stop' : 'tool_calls';
}
