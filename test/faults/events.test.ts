import { test } from '@jest/globals';
import { provideEnvironment } from './support/environment.js';
import {
  drop,
  duplicate,
  every,
  nth,
  ofHistory,
  sendAlsoToStranger,
  sendToStranger,
  swapWithNext,
} from './support/event-faults.js';
import { atServices, inEvents, testPairs, testWithoutFault } from './support/pairs.js';
import { sessionsOutliveLogout, tokensOutliveTheirTime } from './support/requests.js';

/** Events that go wrong on their way to their user, and tokens that are no longer good. */
const environment = provideEnvironment({ backend: { environment: { LLM_TIMEOUT_MS: '4000' } } });

testWithoutFault(test.concurrent, environment, 'websocket-agent-events', ['auth', 'backend']);
testPairs(test.concurrent, environment, 'websocket-agent-events', [
  {
    fault: 'an event is dropped',
    inject: inEvents(() => drop(nth(7, every('tool_executing')))),
    message:
      /user (\d+): seq \d+ was never received after agent_thinking \(seq \d+\)\nuser \1: expected tool_executing of assistant/,
  },
  {
    fault: "a run's last event is dropped",
    inject: inEvents(() => drop(nth(7, every('agent_completed')))),
    message:
      /user \d+: expected agent_completed or agent_failed of run .* received until then: agent_started/,
  },
  {
    fault: 'an event is duplicated',
    inject: inEvents(() => duplicate(nth(7, every('tool_completed')))),
    message: /user \d+: received tool_completed \(seq \d+\) twice/,
  },
  {
    fault: 'two events are swapped',
    inject: inEvents(() => swapWithNext(nth(7, every('tool_executing')))),
    message: /user \d+: received tool_completed \(seq \d+\) before tool_executing \(seq \d+\): out of order/,
  },
  {
    fault: 'an event goes to another user',
    inject: inEvents(() => sendToStranger(nth(7, every('tool_completed')))),
    message: /user \d+: received tool_completed \(seq \d+\) of another's thread/,
  },
  {
    fault: 'an event goes to another user, too',
    inject: inEvents(() => sendAlsoToStranger(nth(7, every('tool_completed')))),
    message: /user \d+: received tool_completed \(seq \d+\) of another's thread/,
  },
  {
    fault: 'a token is accepted after its expiry',
    inject: atServices(() => ({ auth: { http: tokensOutliveTheirTime } })),
    message: /user \d+ with an expired token: expected 4401 token_expired, but it was accepted/,
  },
  {
    fault: 'a token is accepted after the logout',
    inject: atServices(() => ({ auth: { http: sessionsOutliveLogout } })),
    message: /user \d+ with a revoked token: expected 4401 session_revoked, but it was accepted/,
  },
]);

testWithoutFault(test.concurrent, environment, 'websocket-events-comprehensive', ['auth', 'backend']);
testPairs(test.concurrent, environment, 'websocket-events-comprehensive', [
  {
    fault: 'an event is dropped',
    inject: inEvents(() => drop(nth(60, every('agent_thinking')))),
    message: /user \d+.*(seq \d+ was never received after agent_started|lacks agent_thinking \(seq \d+\))/,
  },
  {
    fault: 'two events are swapped',
    inject: inEvents(() => swapWithNext(nth(60, every('agent_thinking')))),
    message:
      /user \d+.* (received|has) agent_completed \(seq \d+\) before agent_thinking \(seq \d+\): out of order/,
  },
  {
    fault: 'the history after a reconnect lacks an event',
    inject: inEvents(() => drop(nth(3, ofHistory(every('agent_handoff'))))),
    message: /user \d+, [\w ]+: (seq \d+ was never received|what was received lacks agent_handoff)/,
  },
  {
    fault: 'a token is accepted after its expiry',
    inject: atServices(() => ({ auth: { http: tokensOutliveTheirTime } })),
    message: /user \d+: the end of the connection when its token expires: not reached/,
  },
]);
