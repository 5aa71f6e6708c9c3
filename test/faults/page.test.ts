import { test } from '@jest/globals';
import { provideEnvironment } from './support/environment.js';
import { drop, every, nth } from './support/event-faults.js';
import { atServices, testPairs, testWithoutFault } from './support/pairs.js';
import { showsOtherMessages } from './support/requests.js';

/** A chat page that doesn't show what was said. */
const environment = provideEnvironment();

const of3 = ({ content }: { content: string }): boolean => content === 'The result is 301.';

testWithoutFault(test.concurrent, environment, 'agent-message-flow', ['frontend']);
testPairs(test.concurrent, environment, 'agent-message-flow', [
  {
    fault: 'an event never reaches the page',
    inject: atServices(() => ({ frontend: { frame: drop(nth(3, every('tool_executing'))) } })),
    message: /user \d+: the page lacks tool_executing \(seq \d+\)/,
  },
  {
    fault: 'a message is not shown',
    inject: atServices(() => ({
      frontend: { http: showsOtherMessages((messages) => messages.filter((message) => !of3(message))) },
    })),
    message: /user 3: the page lacks assistant "The result is 301\."/,
  },
  {
    fault: 'a message is shown twice',
    inject: atServices(() => ({
      frontend: {
        http: showsOtherMessages((messages) =>
          messages.flatMap((message) => (of3(message) ? [message, message] : [message])),
        ),
      },
    })),
    message: /user 3: the page has assistant "The result is 301\." 2 times/,
  },
  {
    fault: 'messages are shown in the wrong order',
    inject: atServices(() => ({
      frontend: { http: showsOtherMessages((messages) => messages.toReversed()) },
    })),
    message: /user \d+: the page has assistant ".*" before user ".*": out of order/,
  },
]);
