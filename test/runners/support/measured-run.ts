import path from 'node:path';
import { dockerEngine } from '../../../runners/docker.js';
import type { RunRecord } from '../../../runners/report/record.js';
import type { StackEngine } from '../../../runners/stack.js';
import { commandRunner } from '../../../runners/suite-runner.js';
import {
  allContainers,
  engineApi,
  inspected,
  json,
  stats,
  statsOf,
  type Answer,
  type Asked,
} from './engine-api.js';
import { fakeDaemon } from './fake-daemon.js';
import { planFor, suiteNamed } from './fakes.js';
import { runWith } from './run-with.js';

const checkout = path.resolve(import.meta.dirname, '../../..');

/** Where a run's figures come from; what isn't given is well. */
export interface Source {
  engine?: Parameters<typeof engineApi>[0];
  /** What the suite does otherwise. */
  suite?: object;
  command?: string[];
  timeoutMs?: number;
  stacks?: StackEngine;
}

/** A run of one suite with all of the runner real but Pulumi: the engine answers over its API, the suite runs. */
export async function rehearsed({ engine, suite = {}, command, timeoutMs = 60_000, stacks }: Source) {
  const program = path.join('test', 'fixtures', 'suites', 'measured.mjs');
  const plan = planFor(['chat'], {
    suites: [
      {
        ...suiteNamed('chat'),
        command: command ?? [process.execPath, program, JSON.stringify(suite)],
        timeoutMs,
      },
    ],
  });
  return runWith([], {
    plan,
    engine: dockerEngine(await fakeDaemon(engineApi({ list: listUntilDestroyed(), ...engine }))),
    suites: commandRunner(checkout, undefined),
    ...(stacks === undefined ? {} : { stacks }),
  });
}

/** Result and reason of each metric that isn't ok. */
export const notOk = ({ verdict }: RunRecord): Record<string, string> =>
  Object.fromEntries(
    verdict.metrics
      .filter(({ result }) => result !== 'ok')
      .map(({ name, result, reason }) => [name, `${result}: ${reason}`]),
  );

/** Says something once the events are watched, in the words of the engine. */
export const says = (asked: Asked, what: (response: Parameters<Answer>[0]) => void): Source => ({
  engine: {
    [asked]: (response: Parameters<Answer>[0]) => {
      response.flushHeaders();
      setTimeout(() => {
        what(response);
      }, 1);
    },
  },
});
export const only = (changed: string, state: object): Source => ({
  engine: {
    inspect(response, { service }) {
      response.end(JSON.stringify(inspected(service, service === changed ? state : {})));
    },
  },
});
export const redisStats = (line: (sent: number) => string | undefined): Source => ({
  engine: {
    stats(response, question) {
      stats(question.service === 'redis' ? line : () => statsOf(40))(response, question);
    },
  },
});

/** The containers, the first time that somebody asks: before the destroy, which is Pulumi's and so not real here. */
function listUntilDestroyed(): Answer {
  let asked = 0;
  return (response, question) => {
    asked += 1;
    json(asked === 1 ? allContainers : [])(response, question);
  };
}
