import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import path from 'node:path';
import { serviceNames } from '../../components/services.js';
import { lineCutter } from '../../engine/lines.js';
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
      const file = path.join(folder, `${service}.log`);
      return existsSync(file) ? [[service, { log: linesIn(file), ...inspectOf(folder, service) }]] : [];
    }),
  );
}

/** Read each time that somebody asks: all logs of all suites are more than the runner may have in its memory. */
const linesIn = (file: string): Iterable<string> => ({ [Symbol.iterator]: () => readLines(file) });

const readAtOnceBytes = 64 * 1024;

function* readLines(file: string): Generator<string> {
  const handle = ifReadable(() => openSync(file, 'r'));
  if (handle === undefined) return;
  try {
    const cutter = lineCutter();
    const piece = Buffer.alloc(readAtOnceBytes);
    for (;;) {
      const length = ifReadable(() => readSync(handle, piece, 0, piece.length, null)) ?? 0;
      if (length === 0) break;
      yield* cutter.add(piece.subarray(0, length));
    }
    yield* cutter.end();
  } finally {
    closeSync(handle);
  }
}

function inspectOf(folder: string, service: string): Pick<ServiceArtifacts, 'inspect'> {
  const text = ifReadable(() => readFileSync(path.join(folder, `${service}.json`), 'utf8'));
  const inspect = inspectSchema.safeParse(parseJson(text ?? ''));
  return inspect.success ? { inspect: inspect.data } : {};
}

function ifReadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
