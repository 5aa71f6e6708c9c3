import { runRecordSchema, type RunRecord } from '../../../runners/report/record.js';
import { admit, run } from '../../../runners/run.js';
import type { Plan } from '../../../runners/plan.js';
import type { Dependencies } from '../../../runners/preparation.js';
import { silentProgress } from '../../helpers/progress.js';
import { endlessRoom, fakeEngine, fakeLeases, fakeStacks, fakeSuites, planFor, type Calls } from './fakes.js';

interface Setup extends Partial<Dependencies> {
  plan?: Plan;
  stop?: AbortSignal;
  abandon?: AbortSignal;
  /** Takes each record that the run saves. */
  saved?: RunRecord[];
}

export async function runWith(calls: Calls, setup: Setup = {}): Promise<RunRecord> {
  const never = new AbortController().signal;
  const { plan = planFor(['one', 'two']), stop = never, abandon = never, saved = [], ...changes } = setup;
  const dependencies = {
    room: endlessRoom,
    leases: fakeLeases(),
    stacks: fakeStacks(calls),
    engine: fakeEngine(),
    suites: fakeSuites(calls),
    ...changes,
  };
  const host = await admit(plan, dependencies.engine);
  const record = await run(plan, host, dependencies, { stop, abandon }, silentProgress, (known) => {
    saved.push(known);
    return Promise.resolve();
  });
  return runRecordSchema.parse(JSON.parse(JSON.stringify(record)));
}

export const fails =
  (message: string): (() => Promise<never>) =>
  () =>
    Promise.reject(new Error(message));
export const outcomes = (record: RunRecord): string[] => record.suites.map(({ outcome }) => outcome.kind);
