import { test } from '@jest/globals';
import { provideEnvironment } from './support/environment.js';
import { alter, every, leaveOut, nth } from './support/event-faults.js';
import { atServices, inEvents, testPairs, testWithoutFault } from './support/pairs.js';
import { answersLikeNobody } from './support/requests.js';
import {
  handover,
  reviewersTurn,
  secondRevision,
  wrongAnswer,
  wrongCall,
  wrongResult,
} from './support/agent-faults.js';

/** Agents, tools and an LLM that don't do what they should. */
const environment = provideEnvironment({ backend: { environment: { LLM_TIMEOUT_MS: '4000' } } });

testWithoutFault(test.concurrent, environment, 'agent-orchestration-llm', ['backend', 'llm']);
testPairs(test.concurrent, environment, 'agent-orchestration-llm', [
  {
    fault: "a tool's result is wrong",
    inject: inEvents(() => alter(nth(3, every('tool_completed')), wrongResult)),
    message: /user \d+: tool_completed \(seq \d+\): expected result \d+, got "wrong"/,
  },
  {
    fault: "another call's end is told",
    inject: inEvents(() => alter(nth(3, every('tool_completed')), wrongCall)),
    message:
      /user \d+: tool_completed \(seq \d+\): expected the end of call calculator call_\w+, got the end of calculator other/,
  },
  {
    fault: "the agent's answer is wrong",
    inject: inEvents(() => alter(nth(15, every('agent_completed')), wrongAnswer)),
    message: /user \d+: agent_completed \(seq \d+\): expected content "The result is \d+\.", got "wrong"/,
  },
  {
    fault: 'the LLM gives another answer',
    inject: atServices(() => ({ llm: { http: answersLikeNobody } })),
    message: /user \d+: asked "what is \d+\?", expected .*You said: .*, the LLM answered .*Nobody said: /,
  },
]);

testWithoutFault(test.concurrent, environment, 'write-review-refine', ['backend']);
testPairs(test.concurrent, environment, 'write-review-refine', [
  {
    fault: 'a revision is skipped',
    inject: inEvents(() => leaveOut(secondRevision())),
    message:
      /user \d+: expected agent_handoff of write-review-refine {"from":"reviewer","to":"refiner","revision":1} after agent_completed/,
  },
  {
    fault: 'a hand-over is lost',
    inject: inEvents(() => leaveOut(nth(7, handover))),
    message:
      /user \d+: expected agent_handoff of write-review-refine {"from":"writer","to":"reviewer","revision":0} after agent_completed/,
  },
  {
    fault: "the reviewer's turn is skipped",
    inject: inEvents(() => leaveOut(reviewersTurn)),
    message: /user \d+: expected agent_started of reviewer after agent_handoff/,
  },
]);
