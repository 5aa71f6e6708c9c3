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

function trim({ log, inspect }: ServiceArtifacts, count: number): RecordingFile['artifacts'][string][string] {
  const lines = log.trimEnd().split('\n').slice(-count);
  if (inspect === undefined) return { log: lines };
  const Env = inspect.Config.Env.filter((text) => variables.includes(text.split('=', 1)[0] ?? ''));
  return { log: lines, inspect: { ...inspect, Config: { ...inspect.Config, Env } } };
}

const [folder = '', name = '', about = ''] = process.argv.slice(2);
const text = readFileSync(path.join(folder, 'record.json'), 'utf8').replaceAll(checkout, '.');
const record = runRecordSchema.parse(JSON.parse(text));
const befallen = record.suites.flatMap(({ crashes }) =>
  crashes.measured ? crashes.value.map(({ service }) => service) : [],
);
const artifacts = Object.entries(readArtifacts(folder, record.suites)).map(([suite, services]) => [
  suite,
  Object.fromEntries(
    serviceNames.flatMap((service) => {
      const saved = services[service];
      return saved === undefined
        ? []
        : [[service, trim(saved, befallen.includes(service) ? linesKept.befallen : linesKept.other)]];
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
