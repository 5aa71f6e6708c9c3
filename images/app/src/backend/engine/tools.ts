import * as z from 'zod';
import { calculate } from './calculator.js';
import { type ToolDescription } from './llm-client.js';

export interface FoundMessage {
  role: 'user' | 'assistant';
  content: string;
}

/** What the tools of one run may reach. */
export interface ToolContext {
  /** The thread's earlier messages that contain the words, oldest first. */
  searchMessages(query: string): Promise<FoundMessage[]>;
}

export type ToolOutcome = { ok: true; result: unknown } | { ok: false; error: string };

interface Tool<Arguments extends z.ZodType = z.ZodType> {
  description: string;
  arguments: Arguments;
  run(args: z.infer<Arguments>, context: ToolContext): unknown;
}

const tool = <Arguments extends z.ZodType>(definition: Tool<Arguments>): Tool => definition;

const tools: Readonly<Record<string, Tool>> = {
  calculator: tool({
    description: 'Calculates an arithmetic expression of numbers, + - * / and parentheses.',
    arguments: z.strictObject({ expression: z.string().min(1).max(500) }),
    run: ({ expression }) => calculate(expression),
  }),
  search_messages: tool({
    description: "Finds this thread's earlier messages that contain the given words.",
    arguments: z.strictObject({ query: z.string().min(1).max(500) }),
    run: async ({ query }, context) => ({ messages: await context.searchMessages(query) }),
  }),
};

export const toolDescriptions: readonly ToolDescription[] = Object.entries(tools).map(
  ([name, { description, arguments: schema }]) => ({
    name,
    description,
    parameters: z.toJSONSchema(schema),
  }),
);

/** The arguments as an object if they are JSON, else the text itself: events show what was asked for. */
export function readArguments(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return json;
  }
}

/** Never throws for what the LLM did wrong: it is told, and may try again. */
export async function runTool(name: string, args: unknown, context: ToolContext): Promise<ToolOutcome> {
  const found = Object.hasOwn(tools, name) ? tools[name] : undefined;
  if (found === undefined) return { ok: false, error: `There is no tool "${name}".` };
  const parsed = found.arguments.safeParse(args);
  if (!parsed.success) return { ok: false, error: `Bad arguments: ${z.prettifyError(parsed.error)}` };
  try {
    return { ok: true, result: await found.run(parsed.data, context) };
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : String(error) };
  }
}
