import { isDeepStrictEqual } from 'node:util';
import { expect } from '@jest/globals';
import { ask, openChat, problemsOf } from './support/chat.js';
import { deadlines, testTimeoutMs } from './support/deadlines.js';
import { environment } from './support/environment.js';
import { everybody } from './support/everybody.js';
import { send } from './support/http.js';
import { complete, streamText, tryToComplete, type Conversation, type LlmAnswer } from './support/llm.js';
import { expectNone, type ExpectedEvent } from './support/order.js';
import { calculation, expectedFailure, expectedRun, type ToolCall } from './support/runs.js';
import { expectMessages, expectStored } from './support/stored.js';
import { test } from './support/test.js';
import { type User } from './support/users.js';

/** AGENT_MAX_STEPS of the backend, by default. */
const maxSteps = 6;

interface Question {
  input: string;
  calls?: ToolCall[];
  content: string;
}

/** All users ask at once, each a question of its own, in a thread that starts with `before`. */
function everybodyAsks(questionOf: (user: User) => Question, before: string[] = []): Promise<void> {
  return everybody(async (user) => {
    const chat = await openChat(user);
    const history: [role: 'user' | 'assistant', content: string][] = [];
    for (const input of before) {
      await ask(chat, input);
      history.push(['user', input], ['assistant', `You said: ${input}`]);
    }
    const question = questionOf(user);
    const { input, content, calls = [] } = question;
    const { runId, events } = await ask(chat, input);
    const problems = problemsOf(chat, events, expectedRun(question));
    if (problems.length > 0) return problems;
    await expectStored(chat, runId, { status: 'completed', error: null, steps: calls.length + 1, content });
    await expectMessages(chat, [...history, ['user', input], ['assistant', content]]);
    return [];
  });
}

test(
  'a message without a tool is one call to the LLM, stored and answered to its own user',
  () =>
    everybodyAsks(({ label, userId }) => {
      const input = `hello from ${label}, ${userId}`;
      return { input, content: `You said: ${input}` };
    }),
  testTimeoutMs,
);

test(
  "the calculator's result goes back to the LLM and into the answer",
  () =>
    everybodyAsks(({ index }) => {
      const expression = `(${String(index)} + 2) * 10 - 8 / 4`;
      const result = (index + 2) * 10 - 2;
      return {
        input: `calculate ${expression}`,
        calls: [calculation(expression, result)],
        content: `The result is ${String(result)}.`,
      };
    }),
  testTimeoutMs,
);

test(
  "the message search finds the thread's own messages and nobody else's",
  () =>
    everybodyAsks(
      () => ({
        // Every user's thread has the word; a search beyond the own thread would find more.
        input: 'search for pomegranates',
        calls: [
          {
            tool: 'search_messages',
            arguments: { query: 'pomegranates' },
            result: {
              messages: [
                { role: 'user', content: 'pomegranates are red' },
                { role: 'assistant', content: 'You said: pomegranates are red' },
              ],
            },
          },
        ],
        content: 'I found 2 messages.',
      }),
      ['pomegranates are red', 'pears are green'],
    ),
  testTimeoutMs,
);

test(
  'a tool that does not exist and arguments that make no sense are told to the LLM, and the run goes on',
  () =>
    everybody(async (user) => {
      const chat = await openChat(user);
      const unknown = await ask(chat, '[llm:unknown-tool] please');
      const nonsense = await ask(chat, 'calculate 1 + * (');
      const refusedCall = (input: string, call: Record<string, unknown>): ExpectedEvent[] => [
        { type: 'agent_started', agent: 'assistant', data: { input } },
        { type: 'agent_thinking', agent: 'assistant', data: { step: 1 } },
        { type: 'tool_executing', agent: 'assistant', data: call },
        { type: 'tool_completed', agent: 'assistant', data: { ...call, ok: false } },
        { type: 'agent_thinking', agent: 'assistant', data: { step: 2 } },
        { type: 'agent_completed', agent: 'assistant', data: { steps: 2 } },
      ];
      const problems = [
        ...problemsOf(chat, unknown.events, refusedCall('[llm:unknown-tool] please', {})),
        ...problemsOf(chat, nonsense.events, refusedCall('calculate 1 + * (', { tool: 'calculator' })),
      ];
      if (problems.length > 0) return problems;
      for (const { runId, events } of [unknown, nonsense]) {
        const answer = events.at(-1);
        const content = answer?.type === 'agent_completed' ? answer.data.content : null;
        await expectStored(chat, runId, { status: 'completed', error: null, steps: 2, content });
      }
      return [];
    }),
  testTimeoutMs,
);

test(
  'an LLM that calls tools without end is stopped at the step limit',
  async () => {
    const input = '[llm:loop] for ever';
    const expected: ExpectedEvent[] = [
      { type: 'agent_started', agent: 'assistant', data: { input } },
      ...Array.from({ length: maxSteps }, (_, index): ExpectedEvent[] => [
        { type: 'agent_thinking', agent: 'assistant', data: { step: index + 1 } },
        { type: 'tool_executing', agent: 'assistant' },
        { type: 'tool_completed', agent: 'assistant', data: { ok: true } },
      ]).flat(),
      { type: 'agent_failed', agent: 'assistant', data: { error: 'step_limit' } },
    ];
    await everybody(async (user) => {
      const chat = await openChat(user);
      const { runId, events } = await ask(chat, input);
      const found = problemsOf(chat, events, expected);
      if (found.length > 0) return found;
      await expectStored(chat, runId, {
        status: 'failed',
        error: 'step_limit',
        steps: maxSteps,
        content: null,
      });
      await expectMessages(chat, [['user', input]]);
      return [];
    });
  },
  testTimeoutMs,
);

const llmFaults = [
  { input: '[llm:error] please', error: 'llm_error', deadlineMs: deadlines.runMs },
  { input: '[llm:garbage] please', error: 'llm_invalid_response', deadlineMs: deadlines.runMs },
  { input: '[llm:hang] please', error: 'llm_timeout', deadlineMs: deadlines.hangingRunMs },
];

test(
  'an LLM that errors, hangs or talks garbage fails its own run with its own code, and nothing else',
  async () => {
    await everybody(async (user) => {
      const problems = await Promise.all(
        llmFaults.map(async ({ input, error, deadlineMs }) => {
          const chat = await openChat(user);
          const { runId, events } = await ask(chat, input, { deadlineMs });
          const found = problemsOf(chat, events, expectedFailure(input, error));
          if (found.length > 0) return found;
          await expectStored(chat, runId, { status: 'failed', error, steps: 1, content: null });
          await expectMessages(chat, [['user', input]]);

          const after = 'are you still there?';
          const { runId: nextId, events: next } = await ask(chat, after);
          const content = `You said: ${after}`;
          await expectStored(chat, nextId, { status: 'completed', error: null, steps: 1, content });
          await expectMessages(chat, [
            ['user', input],
            ['user', after],
            ['assistant', content],
          ]);
          return problemsOf(chat, next, expectedRun({ input: after, content }));
        }),
      );
      return problems.flat();
    });
    const { backendUrl, llmUrl, authUrl } = environment.endpoints;
    for (const url of [backendUrl, llmUrl, authUrl]) {
      expect(await send('GET', `${url}/health`)).toMatchObject({ status: 200, body: { status: 'ok' } });
    }
  },
  testTimeoutMs,
);

const calculator = {
  type: 'function',
  function: {
    name: 'calculator',
    description: 'Evaluates an arithmetic expression',
    parameters: { type: 'object', properties: { expression: { type: 'string' } }, required: ['expression'] },
  },
};

function problemsOfAnswer(label: string, asked: string, answer: LlmAnswer, expected: LlmAnswer): string[] {
  if (isDeepStrictEqual(answer, expected)) return [];
  const [wanted, got] = [JSON.stringify(expected), JSON.stringify(answer)];
  return [`${label}: asked ${JSON.stringify(asked)}, expected ${wanted}, the LLM answered ${got}`];
}

test(
  'the stand-in LLM speaks the OpenAI protocol and gives the same answer to the same question',
  async () => {
    const { llmUrl } = environment.endpoints;
    expect(await send('GET', `${llmUrl}/v1/models`)).toMatchObject({
      status: 200,
      body: { object: 'list', data: [{ id: 'stand-in', object: 'model' }] },
    });
    const problems = await Promise.all(
      Array.from({ length: environment.userCount }, async (_, index) => {
        const label = `user ${String(index)}`;
        const question = `what is ${String(index)}?`;
        const conversation: Conversation = { messages: [{ role: 'user', content: question }] };
        const answers = [
          await complete(conversation),
          await complete(conversation),
          await streamText(conversation),
        ];
        const sumAsked = `calculate ${String(index)} + 1`;
        const sum: Conversation = {
          messages: [{ role: 'user', content: sumAsked }],
          tools: [calculator],
        };
        return [
          ...answers.flatMap((answer) =>
            problemsOfAnswer(label, question, answer, {
              content: `You said: ${question}`,
              calls: [],
              finishReason: 'stop',
            }),
          ),
          ...problemsOfAnswer(label, sumAsked, await complete(sum), {
            content: null,
            calls: [{ name: 'calculator', arguments: { expression: `${String(index)} + 1` } }],
            finishReason: 'tool_calls',
          }),
        ];
      }),
    );
    expectNone(problems.flat());
    const failing: Conversation = { messages: [{ role: 'user', content: '[llm:error]' }] };
    expect(await tryToComplete(failing)).toMatchObject({ status: 500 });
  },
  testTimeoutMs,
);
