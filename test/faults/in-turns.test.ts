import { test } from '@jest/globals';
import { provideEnvironment } from './support/environment.js';
import { delay, every, everyNth } from './support/event-faults.js';
import { inEvents, testPairs, type Pair } from './support/pairs.js';
import { losingMessages, withEventsView } from './support/stores.js';

/**
 * Faults that come in turns: rows that are lost, doubled or altered in PostgreSQL and ClickHouse, because every
 * suite would meet them, and late events, because another suite would make all events late.
 */
const environment = provideEnvironment({ backend: { environment: { LLM_TIMEOUT_MS: '4000' } } });

testPairs(test, environment, 'websocket-agent-events', [
  {
    // The suite forgives a late event for which the machine may be the cause, hence several. It has 10 users: with
    // every 11th they take turns, so that no median is late.
    fault: 'single events are delayed by 150 ms',
    inject: inEvents(() => delay(everyNth(11, 30, every('tool_executing')), 150)),
    message:
      /user \d+: tool_executing \(seq \d+\) took \d+\.\d ms, allowed is less than 100 ms, although \d+ events emitted later/,
  },
  {
    fault: 'every event of a type is delayed by 150 ms',
    inject: inEvents(() => delay(every('agent_completed'), 150)),
    message:
      /user \d+: the delivery of agent_completed takes \d+\.\d ms \(median\), allowed is less than 100 ms/,
  },
]);
testPairs(test, environment, 'agent-orchestration-llm', [
  {
    fault: "an assistant's message is lost",
    inject: (endpoints, runSuite) =>
      losingMessages(endpoints.postgres, 'You said: hello from user 3,%', () => runSuite(endpoints)),
    message: /user 3: PostgreSQL lacks assistant "You said: hello from user 3,/,
  },
]);
testPairs(test, environment, 'agent-message-flow', [
  {
    fault: 'a message is lost',
    inject: (endpoints, runSuite) =>
      losingMessages(endpoints.postgres, 'The result is 301.', () => runSuite(endpoints)),
    message: /user 3: PostgreSQL lacks assistant "The result is 301\."/,
  },
]);
testPairs(test, environment, 'write-review-refine', [
  {
    fault: 'the final text is lost',
    inject: (endpoints, runSuite) =>
      losingMessages(endpoints.postgres, 'Draft: a poem for %', () => runSuite(endpoints)),
    message: /user \d+: PostgreSQL lacks assistant "Draft: a poem for /,
  },
]);
testPairs(test, environment, 'websocket-events-comprehensive', [
  {
    fault: "an event's row is lost",
    inject: withView((table) => `SELECT * FROM ${table} WHERE NOT (type = 'tool_executing' AND seq = 3)`),
    message: /user \d+: tool_executing \(seq \d+\) was received, but ClickHouse has no row of it/,
  },
  {
    fault: "an event's row is there twice",
    inject: withView(
      (table) =>
        `SELECT * FROM (SELECT * FROM ${table} UNION ALL SELECT * FROM ${table} WHERE type = 'tool_executing')`,
    ),
    message: /user \d+: ClickHouse has tool_executing \(seq \d+\) 2 times/,
  },
  {
    fault: "an event's row says something else",
    inject: withView(
      (table) =>
        `SELECT thread_id, run_id, user_id, agent, type, seq, emitted_at_ms, replaceAll(data, '"result"', '"other"') AS data FROM ${table}`,
    ),
    message: /user \d+: tool_completed \(seq \d+\): ClickHouse has .*"other".*, the user received .*"result"/,
  },
]);

function withView(select: (table: string) => string): Pair['inject'] {
  return (endpoints, runSuite) =>
    withEventsView(endpoints.clickhouse, select, (clickhouse) => runSuite({ ...endpoints, clickhouse }));
}
