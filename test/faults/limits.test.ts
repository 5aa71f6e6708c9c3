import { expect, test } from '@jest/globals';
import { faultTimeoutMs, provideEnvironment } from './support/environment.js';

/** A backend that stops its agents earlier than docs/application.md says. */
const environment = provideEnvironment({
  backend: { environment: { AGENT_MAX_STEPS: '5', AGENT_MAX_REVISIONS: '2', LLM_TIMEOUT_MS: '4000' } },
});

const limits = [
  {
    suite: 'agent-orchestration-llm',
    limit: 'steps',
    message:
      /user \d+: expected agent_thinking of assistant after tool_completed \(seq 16\), got agent_failed/,
  },
  {
    suite: 'write-review-refine',
    limit: 'revisions',
    message:
      /user \d+: expected agent_handoff of write-review-refine {"from":"reviewer","to":"refiner","revision":2}/,
  },
];

test.each(limits)(
  '$suite fails when fewer $limit are allowed',
  async ({ suite, message }) => {
    const { outcome, failures } = await environment().runSuite(suite);
    expect({ outcome, failures }).toMatchObject({ outcome: { kind: 'failed' } });
    expect(failures.join('\n')).toMatch(message);
  },
  faultTimeoutMs,
);
