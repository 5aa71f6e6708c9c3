import { expect, test } from '@jest/globals';
import { faultTimeoutMs, provideEnvironment } from './support/environment.js';

const environment = provideEnvironment();

test(
  'without a fault a suite passes',
  async () => {
    const { outcome, failures } = await environment().runSuite('websocket-agent-events');
    expect({ outcome, failures }).toEqual({ outcome: { kind: 'passed' }, failures: [] });
  },
  faultTimeoutMs,
);
