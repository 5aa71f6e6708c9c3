import { readFileSync } from 'node:fs';
import path from 'node:path';
import { serviceNames } from '../../components/services.js';
import { parseJson } from '../json.js';
import type { SuiteRecord } from '../report/record.js';
import { inspectSchema, type Artifacts, type ServiceArtifacts } from './case.js';

/** What was saved of the suites' services, by suite. What isn't there, or can't be read, no rule builds on. */
export function readArtifacts(
  runFolder: string,
  suites: readonly Pick<SuiteRecord, 'name' | 'folder'>[],
): Record<string, Artifacts> {
  return Object.fromEntries(
    suites.map(({ name, folder }) => [name, readServices(path.join(runFolder, folder, 'logs'))]),
  );
}

function readServices(folder: string): Artifacts {
  return Object.fromEntries(
    serviceNames.flatMap((service) => {
      const log = textOf(path.join(folder, `${service}.log`));
      return log === undefined ? [] : [[service, { log, ...inspectOf(folder, service) }]];
    }),
  );
}

function inspectOf(folder: string, service: string): Pick<ServiceArtifacts, 'inspect'> {
  const inspect = inspectSchema.safeParse(parseJson(textOf(path.join(folder, `${service}.json`)) ?? ''));
  return inspect.success ? { inspect: inspect.data } : {};
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
