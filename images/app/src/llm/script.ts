import { createHash } from 'node:crypto';
import { type Message, type Reply } from './messages.js';

const revisionMark = /\(revision \d+\)/g;

/** The one reply to a conversation: a pure function of it. docs/application.md has the table. */
export function replyTo(messages: readonly Message[]): Reply {
  const lastUserIndex = messages.findLastIndex((message) => message.role === 'user');
  const asked = messages[lastUserIndex]?.content ?? '';
  const results = messages.slice(lastUserIndex + 1).filter((message) => message.role === 'tool');

  if (asked.includes('[llm:error]')) return { kind: 'error' };
  if (asked.includes('[llm:hang]')) return { kind: 'hang' };
  if (asked.includes('[llm:garbage]')) return { kind: 'garbage' };
  if (asked.includes('[llm:loop]')) return toolCall('calculator', { expression: '1 + 1' }, messages);

  const role = roleOf(messages);
  const call = asked.includes('[llm:unknown-tool]') ? unknownTool : wantedTool(asked);
  if (role !== undefined && call !== unknownTool) return text(playRole(role, asked));
  if (call === undefined) return text(`You said: ${asked}`);
  const result = results.at(-1)?.content;
  if (result === undefined || result === null) return toolCall(call.tool, call.arguments, messages);
  return text(describeResult(call.tool, result));
}

interface WantedTool {
  tool: string;
  arguments: Record<string, string>;
}

const unknownTool: WantedTool = { tool: 'teleport', arguments: { to: 'the moon' } };

function wantedTool(asked: string): WantedTool | undefined {
  const calculation = /calculate\s+(.+)/i.exec(asked)?.[1];
  if (calculation !== undefined) {
    const expression = /^[\d\s.+\-*/()]+/.exec(calculation)?.[0] ?? calculation;
    return { tool: 'calculator', arguments: { expression: expression.trim().replace(/\.$/, '') } };
  }
  const words = /search for\s+(.+)/i.exec(asked)?.[1];
  if (words !== undefined) return { tool: 'search_messages', arguments: { query: words.trim() } };
  return undefined;
}

/** @param content What the backend tells of a tool: `{"result": …}` or `{"error": "…"}`. */
function describeResult(tool: string, content: string): string {
  let outcome: { result?: unknown; error?: string };
  try {
    outcome = JSON.parse(content) as typeof outcome;
  } catch {
    outcome = { result: content };
  }
  if (outcome.error !== undefined) return `The tool ${tool} failed: ${outcome.error}`;
  if (tool === 'search_messages') {
    const { messages } = outcome.result as { messages: unknown[] };
    return `I found ${messages.length} messages.`;
  }
  return `The result is ${String(outcome.result)}.`;
}

type Role = 'writer' | 'reviewer' | 'refiner';

function roleOf(messages: readonly Message[]): Role | undefined {
  const system = messages.find((message) => message.role === 'system')?.content ?? '';
  return /^You are the (writer|reviewer|refiner)\.(\n|$)/.exec(system)?.[1] as Role | undefined;
}

function playRole(role: Role, input: string): string {
  const revisions = input.match(revisionMark)?.length ?? 0;
  if (role === 'writer') return `Draft: ${input}`;
  if (role === 'refiner') return `${input} (revision ${revisions + 1})`;
  const wanted = Number(/\[revise:(\d+)\]/.exec(input)?.[1] ?? 1);
  return revisions < wanted ? `REVISE: improvement ${revisions + 1} of ${wanted} is missing.` : 'APPROVED';
}

function text(content: string): Reply {
  return { kind: 'text', text: content };
}

function toolCall(name: string, args: Record<string, string>, messages: readonly Message[]): Reply {
  const id = `call_${createHash('sha256').update(JSON.stringify(messages)).digest('hex').slice(0, 24)}`;
  return {
    kind: 'tool',
    call: { id, type: 'function', function: { name, arguments: JSON.stringify(args) } },
  };
}
