/**
 * Keeps of a run what its diagnosis reads, as a recording for tests:
 * `npx tsx test/helpers/trim-recording.ts <run folder> <name> <how the fault was made>`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { serviceNames } from '../../components/services.js';
import { checkout } from '../../engine/state.js';
import { readArtifacts } from '../../runners/diagnosis/artifacts.js';
import type { ServiceArtifacts } from '../../runners/diagnosis/case.js';
import { runRecordSchema } from '../../runners/report/record.js';
import { recordingsFolder, type RecordingFile } from './recording.js';

/** Lines of a service that something befell, and of any other. */
const linesKept = { befallen: 120, other: 5 };
/** Settings that rules read; the other variables are passwords and addresses. */
const variables = ['WEB_CONCURRENCY', 'REDIS_MAXMEMORY_MB', 'NODE_OPTIONS'];

const [folder = '', name = '', about = ''] = process.argv.slice(2);
const text = readFileSync(path.join(folder, 'record.json'), 'utf8').replaceAll(checkout, '.');
const record = runRecordSchema.parse(JSON.parse(text));
const crashes = record.suites.flatMap((suite) => (suite.crashes.measured ? suite.crashes.value : []));
const befallen = crashes.map(({ service }) => service);
/** What comes long after the last fault tells nothing of it. */
const aftermathMs = 3_000;
const timesMs = crashes.flatMap(({ at }) => (at === undefined ? [] : [Date.parse(at)]));
const untilMs = timesMs.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...timesMs) + aftermathMs;

function trim({ log, inspect }: ServiceArtifacts, count: number): RecordingFile['artifacts'][string][string] {
  const telling = [...log].filter(
    (line) => !line.includes('"msg":"request"') && !(Date.parse(line.split(' ', 1)[0] ?? '') > untilMs),
  );
  const lines = telling.slice(-count);
  if (inspect === undefined) return { log: lines };
  const Env = inspect.Config.Env.filter((text) => variables.includes(text.split('=', 1)[0] ?? ''));
  return { log: lines, inspect: { ...inspect, Config: { ...inspect.Config, Env } } };
}

const all = readArtifacts(folder, record.suites);
// Suites that shared an environment share its folder.
const artifacts = record.suites.map(({ name: suite, folder: ownFolder }) => [
  ownFolder,
  Object.fromEntries(
    serviceNames.flatMap((service) => {
      const saved = all[suite]?.[service];
      const count = befallen.includes(service) ? linesKept.befallen : linesKept.other;
      return saved === undefined ? [] : [[service, trim(saved, count)]];
    }),
  ),
]);
const recording = {
  about,
  // The diagnosis is made anew by the tests; the logs are among the artifacts.
  record: {
    ...record,
    owner: 'somebody',
    diagnosis: [],
    recommended: [],
    suites: record.suites.map((suite) => ({ ...suite, lastLines: [] })),
  },
  artifacts: Object.fromEntries(artifacts) as RecordingFile['artifacts'],
} satisfies RecordingFile;
writeFileSync(path.join(recordingsFolder, `${name}.json`), `${JSON.stringify(recording, undefined, 2)}\n`);
