import {
  converse,
  performAgent,
  settleNothing,
  type Outcome,
  type RunContext,
  type Settle,
} from './agent.js';
import { AgentError } from './events.js';
import { type ChatMessage } from './llm-client.js';

export const agentNames = ['assistant', 'write-review-refine'] as const;
export type AgentName = (typeof agentNames)[number];

type Conversation = readonly ChatMessage[];

/**
 * Runs an agent on what the user wrote.
 * @param history Reads the thread's messages, the last of which is this input.
 * @throws AgentError when the agent failed: it was settled and told already.
 */
export async function runAgent(
  context: RunContext,
  agent: AgentName,
  input: string,
  history: () => Promise<Conversation>,
  settle: Settle,
): Promise<Outcome> {
  const work = async (): Promise<Outcome> => {
    await context.remember();
    return agent === 'assistant' ? assist(context, await history()) : writeReviewRefine(context, input);
  };
  return performAgent(context, agent, input, work, settle);
}

function assist(context: RunContext, history: Conversation): Promise<Outcome> {
  const system = 'You are a helpful assistant. Use the tools when they help; answer briefly.';
  return converse(context, 'assistant', [{ role: 'system', content: system }, ...history], {
    withTools: true,
  });
}

async function writeReviewRefine(context: RunContext, task: string): Promise<Outcome> {
  const { emit, maxRevisions, progress } = context;
  const ask = async (agent: string, system: string[], input: string): Promise<string> => {
    const conversation: Conversation = [
      { role: 'system', content: system.join('\n') },
      { role: 'user', content: input },
    ];
    const work = (): Promise<Outcome> => converse(context, agent, conversation, { withTools: false });
    return (await performAgent(context, agent, input, work, settleNothing)).content;
  };
  const handOff = (from: string, to: string): Promise<void> =>
    emit({
      type: 'agent_handoff',
      agent: 'write-review-refine',
      data: { from, to, revision: progress.revisions },
    });

  let content = await ask(
    'writer',
    ['You are the writer.', 'Write the text that the user asks for and nothing else.'],
    task,
  );
  await handOff('writer', 'reviewer');
  for (;;) {
    const review = await ask(
      'reviewer',
      [
        'You are the reviewer.',
        'Judge whether the text does what its task asks for. Reply with the one word APPROVED if it does,',
        'otherwise with "REVISE: " followed by what has to change.',
        `The task: ${task}`,
      ],
      content,
    );
    const approved = isApproval(review);
    if (approved || progress.revisions >= maxRevisions) {
      return { content, steps: progress.steps, revisions: progress.revisions, approved };
    }
    await handOff('reviewer', 'refiner');
    content = await ask(
      'refiner',
      [
        'You are the refiner.',
        'Rewrite the text so that it answers the review. Reply with the text only.',
        `The review: ${review}`,
      ],
      content,
    );
    progress.revisions += 1;
    await handOff('refiner', 'reviewer');
  }
}

function isApproval(review: string): boolean {
  if (/^\s*APPROVED\b/i.test(review)) return true;
  if (/^\s*REVISE:/i.test(review)) return false;
  throw new AgentError('llm_invalid_response', 'The reviewer answered neither APPROVED nor REVISE:.');
}
