import { expect, test } from '@jest/globals';
import { parseConfig } from '../../components/config.js';
import { allSuites, chooseSuites } from '../../runners/suites.js';

const names = (suites: readonly { name: string }[]): string[] => suites.map(({ name }) => name);
const critical = allSuites(parseConfig({}, 'nothing'), '/checkout');

test('the five critical suites come in the order of the mission', () => {
  expect(names(chooseSuites(critical, [], []))).toEqual([
    'websocket-agent-events',
    'agent-orchestration-llm',
    'websocket-events-comprehensive',
    'agent-message-flow',
    'write-review-refine',
  ]);
});

test('chosen suites keep that order', () => {
  expect(names(chooseSuites(critical, ['agent-message-flow', 'websocket-agent-events'], []))).toEqual([
    'websocket-agent-events',
    'agent-message-flow',
  ]);
});

test('a category chooses its suites', () => {
  expect(chooseSuites(critical, [], ['critical'])).toHaveLength(5);
});

test("the settings' own suites take the critical ones' place", () => {
  const config = parseConfig(
    { 'rehearsal:suites': [{ name: 'mine', command: ['make', 'e2e'], timeoutSeconds: 30 }] },
    'a test',
  );
  expect(allSuites(config, '/checkout')).toEqual([
    {
      name: 'mine',
      category: 'custom',
      command: ['make', 'e2e'],
      timeoutMs: 30_000,
      measuresDelivery: false,
    },
  ]);
});

test('unknown names are refused all at once, with those that there are', () => {
  expect(() => chooseSuites(critical, ['nope', 'websocket-agent-events', 'neither'], ['none'])).toThrow(
    /3 problems in the command line:[^]*--suite nope: there is no such suite; there are websocket-agent-events, [^]*--suite neither[^]*--category none: .*there are critical$/,
  );
});
