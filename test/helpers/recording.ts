import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { inspectSchema, type Artifacts } from '../../runners/diagnosis/case.js';
import { runRecordSchema, type RunRecord } from '../../runners/report/record.js';

/** A run in which a fault really happened, as far as its diagnosis reads it. */
export interface Recording {
  /** How the fault was made. */
  about: string;
  record: RunRecord;
  artifacts: Record<string, Artifacts>;
}

const recordingSchema = z.strictObject({
  about: z.string(),
  record: runRecordSchema,
  /** By the suite's folder, then by service. */
  artifacts: z.record(
    z.string(),
    z.record(z.string(), z.strictObject({ log: z.array(z.string()), inspect: inspectSchema.optional() })),
  ),
});
export type RecordingFile = z.input<typeof recordingSchema>;

export const recordingsFolder = path.join(import.meta.dirname, '..', 'fixtures', 'recordings');

export function readRecording(name: string): Recording {
  const text = readFileSync(path.join(recordingsFolder, `${name}.json`), 'utf8');
  const { about, record, artifacts } = recordingSchema.parse(JSON.parse(text));
  const ofSuites = record.suites.map(({ name: suite, folder }) => [suite, artifacts[folder] ?? {}]);
  return { about, record, artifacts: Object.fromEntries(ofSuites) as Recording['artifacts'] };
}
