import { readdirSync } from 'node:fs';
import path from 'node:path';
import { diagnose } from '../../../runners/diagnosis/diagnose.js';
import type { Change, Diagnosis } from '../../../runners/report/diagnosis-schema.js';
import type { Crash, SuiteRecord } from '../../../runners/report/record.js';
import { readRecording, recordingsFolder, type Recording } from '../../helpers/recording.js';

/** Every recording there is. */
export const names = readdirSync(recordingsFolder).map((file) => path.parse(file).name);

export const diagnosed = (name: string): Result => of(readRecording(name));
export const of = ({ record, artifacts }: Recording): Result => diagnose(record, artifacts);
export interface Result {
  diagnosis: Diagnosis[];
  recommended: Change[];
}

/** The rules of each chain, from what was seen to its cause. */
export const chainsOf = ({ diagnosis }: Result): string[][] =>
  diagnosis.map(({ chain }) => chain.map(({ rule }) => rule));
export const setting = (key: string, from: number | string, to: number | string): Change => ({
  kind: 'setting',
  path: key.split('.'),
  from,
  to,
});

type Memory = Extract<SuiteRecord['memory'], { measured: true }>['value'];

/** The recording as it would be with that in its one suite. */
export function changed(name: string, change: (suite: SuiteRecord) => SuiteRecord): Result {
  const recording = readRecording(name);
  const suites = recording.record.suites.map(change);
  return of({ ...recording, record: { ...recording.record, suites } });
}
export const withCrashes = (suite: SuiteRecord, change: (crash: Crash) => Crash): SuiteRecord => ({
  ...suite,
  crashes: suite.crashes.measured
    ? { measured: true, value: suite.crashes.value.map(change) }
    : suite.crashes,
});
export const withMemory = (suite: SuiteRecord, change: (memory: Memory) => Memory): SuiteRecord => ({
  ...suite,
  memory: suite.memory.measured ? { measured: true, value: change(suite.memory.value) } : suite.memory,
});
