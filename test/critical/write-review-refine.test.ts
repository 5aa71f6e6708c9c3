import { ask, openChat, problemsOf, type Chat } from './support/chat.js';
import { deadlines, testTimeoutMs } from './support/deadlines.js';
import { everybody } from './support/everybody.js';
import type { ReceivedEvent } from './support/events.js';
import type { ExpectedEvent } from './support/order.js';
import { problemsOfRows } from './support/sql.js';
import { expectMessages, expectStored } from './support/stored.js';
import { test } from './support/test.js';

const pipeline = 'write-review-refine';
/** AGENT_MAX_REVISIONS of the backend, by default. */
const maxRevisions = 3;

interface Case {
  /** How often the reviewer is to ask for a revision; the reviewer's own default is once. */
  asked?: number;
  made: number;
  approved: boolean;
}

const cases: Case[] = [
  { made: 1, approved: true },
  { asked: 0, made: 0, approved: true },
  { asked: 1, made: 1, approved: true },
  { asked: 2, made: 2, approved: true },
  { asked: 3, made: maxRevisions, approved: true },
  { asked: 5, made: maxRevisions, approved: false },
];

const handOff = (from: string, to: string, revision: number): ExpectedEvent => ({
  type: 'agent_handoff',
  agent: pipeline,
  data: { from, to, revision },
});

const turnOf = (agent: string, input: string, content?: string): ExpectedEvent[] => [
  { type: 'agent_started', agent, data: { input } },
  { type: 'agent_thinking', agent, data: { step: 1 } },
  { type: 'agent_completed', agent, data: { steps: 1, ...(content === undefined ? {} : { content }) } },
];

/** The draft after `revisions` revisions, as the scripted refiner marks it. */
const textAfter = (task: string, revisions: number): string =>
  [
    `Draft: ${task}`,
    ...Array.from({ length: revisions }, (_, index) => `(revision ${String(index + 1)})`),
  ].join(' ');

/**
 * Writer and reviewer, then refiner and reviewer for each revision: each gets the text as the one before left
 * it, and makes one call to the LLM. A hand-over tells how many revisions were made by then.
 */
function expectedPipeline(task: string, { made, approved }: Case): ExpectedEvent[] {
  const revisions = Array.from({ length: made }, (_, index) => [
    handOff('reviewer', 'refiner', index),
    ...turnOf('refiner', textAfter(task, index), textAfter(task, index + 1)),
    handOff('refiner', 'reviewer', index + 1),
    ...turnOf('reviewer', textAfter(task, index + 1)),
  ]).flat();
  const content = textAfter(task, made);
  return [
    { type: 'agent_started', agent: pipeline, data: { input: task } },
    ...turnOf('writer', task, textAfter(task, 0)),
    handOff('writer', 'reviewer', 0),
    ...turnOf('reviewer', textAfter(task, 0)),
    ...revisions,
    {
      type: 'agent_completed',
      agent: pipeline,
      data: { content, steps: 2 + 2 * made, revisions: made, approved },
    },
  ];
}

/** The first word of each review, in order. */
const verdictsOf = (events: readonly ReceivedEvent[]): string[] =>
  events.flatMap((event) =>
    event.type === 'agent_completed' && event.agent === 'reviewer'
      ? (event.data.content.match(/^\w+/) ?? [''])
      : [],
  );

const expectedVerdicts = ({ made, approved }: Case): string[] => [
  ...Array.from({ length: made }, () => 'REVISE'),
  approved ? 'APPROVED' : 'REVISE',
];

async function writeReviewRefine(chat: Chat, round: number): Promise<string[]> {
  // Not all users at the same length of pipeline, so that short and long ones run side by side.
  const wanted = cases[(round + chat.user.index) % cases.length] as Case;
  const mark = wanted.asked === undefined ? '' : ` [revise:${String(wanted.asked)}]`;
  const task = `a note by ${chat.user.userId}, round ${String(round)}${mark}`;
  const { runId, events } = await ask(chat, task, { agent: pipeline });
  const problems = problemsOf(chat, events, expectedPipeline(task, wanted));
  if (problems.length > 0) return problems;
  const [verdicts, expected] = [verdictsOf(events), expectedVerdicts(wanted)].map((list) => list.join(', '));
  if (verdicts !== expected) {
    return [`${chat.user.label}: expected the reviews ${String(expected)}, got ${String(verdicts)}`];
  }
  await expectStored(chat, runId, {
    agent: pipeline,
    status: 'completed',
    error: null,
    steps: 2 + 2 * wanted.made,
    revisions: wanted.made,
    content: textAfter(task, wanted.made),
  });
  return [];
}

test(
  'writer, reviewer and refiner hand over in order, as often as the reviewer asks and never beyond the limit',
  () =>
    everybody(async (user) => {
      const chat = await openChat(user);
      for (const round of cases.keys()) {
        const problems = await writeReviewRefine(chat, round);
        if (problems.length > 0) return problems;
      }
      return [];
    }),
  testTimeoutMs,
);

test(
  'only the final text becomes a message, and the event log has every step of every agent',
  () =>
    everybody(async (user) => {
      const chat = await openChat(user);
      const task = `a poem for ${user.userId} [revise:2]`;
      const { runId } = await ask(chat, task, { agent: pipeline });
      await expectMessages(chat, [
        ['user', task],
        ['assistant', textAfter(task, 2)],
      ]);
      const rows = await problemsOfRows(user.label, chat.threadId, chat.connection.ofRun(runId));
      return [...chat.connection.malformed, ...rows];
    }),
  testTimeoutMs,
);

test(
  'an agent whose LLM fails ends the pipeline with its code, and no half-made text is stored',
  async () => {
    const faults = [
      { mark: '[llm:error]', error: 'llm_error' },
      { mark: '[llm:garbage]', error: 'llm_invalid_response' },
    ];
    await everybody(async (user) => {
      const chat = await openChat(user);
      const { mark, error } = faults[user.index % faults.length] as (typeof faults)[number];
      const task = `a note ${mark}`;
      const { runId, events } = await ask(chat, task, { agent: pipeline, deadlineMs: deadlines.runMs });
      const found = problemsOf(chat, events, [
        { type: 'agent_started', agent: pipeline, data: { input: task } },
        { type: 'agent_started', agent: 'writer' },
        { type: 'agent_thinking', agent: 'writer', data: { step: 1 } },
        { type: 'agent_failed', agent: 'writer', data: { error } },
        { type: 'agent_failed', agent: pipeline, data: { error } },
      ]);
      if (found.length > 0) return found;
      await expectStored(chat, runId, {
        agent: pipeline,
        status: 'failed',
        error,
        steps: 1,
        revisions: 0,
        content: null,
      });
      await expectMessages(chat, [['user', task]]);
      return [];
    });
  },
  testTimeoutMs,
);
