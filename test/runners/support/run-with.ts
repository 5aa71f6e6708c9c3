import { runRecordSchema, type RunRecord } from '../../../runners/report/record.js';
import { run } from '../../../runners/run.js';
import type { Plan } from '../../../runners/plan.js';
import type { Dependencies } from '../../../runners/suite-cycle.js';
import { silentProgress } from '../../helpers/progress.js';
import { fakeEngine, fakeStacks, fakeSuites, planFor, type Calls } from './fakes.js';

interface Setup extends Partial<Dependencies> {
  plan?: Plan;
  stop?: AbortSignal;
  abandon?: AbortSignal;
}

export async function runWith(calls: Calls, setup: Setup = {}): Promise<RunRecord> {
  const never = new AbortController().signal;
  const { plan = planFor(['one', 'two']), stop = never, abandon = never, ...changes } = setup;
  const dependencies = {
    stacks: fakeStacks(calls),
    engine: fakeEngine(),
    suites: fakeSuites(calls),
    ...changes,
  };
  const record = await run(plan, dependencies, { stop, abandon }, silentProgress);
  return runRecordSchema.parse(JSON.parse(JSON.stringify(record)));
}

export const fails =
  (message: string): (() => Promise<never>) =>
  () =>
    Promise.reject(new Error(message));
export const outcomes = (record: RunRecord): string[] => record.suites.map(({ outcome }) => outcome.kind);
