import path from 'node:path';
import { ConfigError, type StackConfig } from '../components/config.js';

export interface Suite {
  name: string;
  category: string;
  /** Program and arguments, run in the checkout. */
  command: readonly string[];
  timeoutMs: number;
  /** It has to record the delivery latency of each event. */
  measuresDelivery: boolean;
}

const criticalTimeoutMs = 5 * 60_000;

/** In the order in which they run. */
const criticalNames = [
  'websocket-agent-events',
  'agent-orchestration-llm',
  'websocket-events-comprehensive',
  'agent-message-flow',
  'write-review-refine',
];

function criticalSuite(name: string, checkout: string): Suite {
  return {
    name,
    category: 'critical',
    command: [
      process.execPath,
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      path.join('node_modules', 'jest', 'bin', 'jest.js'),
      ...['--selectProjects', 'critical'],
      ...['--runTestsByPath', path.join('test', 'critical', `${name}.test.ts`)],
      `--reporters=${path.join(checkout, 'test', 'critical', 'reporter.mjs')}`,
    ],
    timeoutMs: criticalTimeoutMs,
    measuresDelivery: true,
  };
}

/** Every suite that a full run has: the five critical ones, or those that the settings name instead. */
export function allSuites(config: StackConfig, checkout: string): Suite[] {
  if (config.suites === undefined) return criticalNames.map((name) => criticalSuite(name, checkout));
  return config.suites.map(({ name, command, timeoutSeconds }) => ({
    name,
    category: 'custom',
    command,
    timeoutMs: timeoutSeconds * 1000,
    measuresDelivery: false,
  }));
}

/**
 * The suites with these names or of these categories, all of them when neither is given.
 * @throws ConfigError with every unknown name.
 */
export function chooseSuites(
  suites: readonly Suite[],
  names: readonly string[],
  categories: readonly string[],
): Suite[] {
  const known = {
    suite: suites.map(({ name }) => name),
    category: [...new Set(suites.map(({ category }) => category))],
  };
  const problems = [
    ...unknown('suite', names, known.suite),
    ...unknown('category', categories, known.category),
  ];
  if (problems.length > 0) throw new ConfigError(problems, 'the command line');
  if (names.length === 0 && categories.length === 0) return [...suites];
  return suites.filter(({ name, category }) => names.includes(name) || categories.includes(category));
}

function unknown(what: string, given: readonly string[], allowed: readonly string[]): string[] {
  return given
    .filter((name) => !allowed.includes(name))
    .map((name) => `--${what} ${name}: there is no such ${what}; there are ${allowed.join(', ')}`);
}
