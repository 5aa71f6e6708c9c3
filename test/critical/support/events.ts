import * as z from 'zod';

const common = {
  threadId: z.uuid(),
  runId: z.uuid(),
  userId: z.uuid(),
  agent: z.string().min(1),
  /** Counts per thread, from 1, without a gap. */
  seq: z.int().positive(),
  /** The server's clock, milliseconds since the epoch. */
  emittedAt: z.number().positive(),
};

const event = <Type extends string, Data extends z.ZodType>(type: Type, data: Data) =>
  z.strictObject({ type: z.literal(type), ...common, data });

const call = { callId: z.string().min(1), tool: z.string().min(1) };

/** The frames of docs/application.md that are events, and only those. */
export const agentEventSchema = z.discriminatedUnion('type', [
  event('agent_started', z.strictObject({ input: z.string() })),
  event('agent_thinking', z.strictObject({ step: z.int().positive() })),
  event('tool_executing', z.strictObject({ ...call, arguments: z.unknown() })),
  event(
    'tool_completed',
    z.discriminatedUnion('ok', [
      z.strictObject({ ...call, ok: z.literal(true), result: z.unknown() }),
      z.strictObject({ ...call, ok: z.literal(false), error: z.string().min(1) }),
    ]),
  ),
  event(
    'agent_handoff',
    z.strictObject({ from: z.string().min(1), to: z.string().min(1), revision: z.int().nonnegative() }),
  ),
  event(
    'agent_completed',
    z.strictObject({
      content: z.string(),
      steps: z.int().positive(),
      revisions: z.int().nonnegative().optional(),
      approved: z.boolean().optional(),
    }),
  ),
  event(
    'agent_failed',
    z.strictObject({
      error: z.enum(['llm_error', 'llm_timeout', 'llm_invalid_response', 'step_limit', 'internal']),
      message: z.string(),
    }),
  ),
]);

export type AgentEvent = z.infer<typeof agentEventSchema>;
export type EventType = AgentEvent['type'];
export type ReceivedEvent = AgentEvent & {
  /** This process's clock when the frame arrived, milliseconds since the epoch. */
  receivedAt: number;
};

const eventTypes: ReadonlySet<unknown> = new Set(
  agentEventSchema.options.map(({ shape }) => shape.type.value),
);

/** Whether a frame claims to be an event, well formed or not. */
export const isEventFrame = (frame: { type?: unknown }): boolean => eventTypes.has(frame.type);

export const describeEvent = ({ type, seq }: AgentEvent): string => `${type} (seq ${String(seq)})`;

export const describeEvents = (events: readonly AgentEvent[]): string =>
  events.length === 0 ? 'no event' : events.map(describeEvent).join(', ');
