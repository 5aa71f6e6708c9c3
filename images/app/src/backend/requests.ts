import * as z from 'zod';
import { agentNames } from './engine/agents.js';

/** What both transports take as a new message. */
export const newMessageSchema = z.object({
  content: z.string().trim().min(1).max(16_000),
  agent: z.enum(agentNames).default('assistant'),
});

export const idSchema = z.uuid();
