import * as z from 'zod';
import type { ServiceName } from '../../components/services.js';
import type { Crash, RunRecord, SuiteRecord } from '../report/record.js';
import type { Evidence } from '../report/diagnosis-schema.js';

/** Of `docker inspect`, what the rules read. Times are the engine's, durations nanoseconds. */
export const inspectSchema = z.object({
  State: z.object({
    StartedAt: z.string(),
    Health: z
      .object({ Log: z.array(z.object({ Start: z.string(), ExitCode: z.int() })).nullish() })
      .optional(),
  }),
  Config: z.object({
    Env: z.array(z.string()),
    Healthcheck: z
      .object({
        Interval: z.number().default(0),
        Timeout: z.number().default(0),
        Retries: z.number().default(0),
        StartPeriod: z.number().default(0),
      })
      .optional(),
  }),
});

/** What was saved of one service while its container was there. */
export interface ServiceArtifacts {
  /** Its lines, each of which begins with its time, as the engine notes it. There may be very many. */
  log: Iterable<string>;
  inspect?: z.infer<typeof inspectSchema>;
}

/** By service. */
export type Artifacts = Readonly<Partial<Record<string, ServiceArtifacts>>>;

export interface LogLine {
  service: string;
  /** Absent in what isn't a line of the engine's. */
  at?: string;
  text: string;
}

/** All that is known of one suite: rules read nothing else. */
export interface Case {
  suite: SuiteRecord;
  environment: RunRecord['environment'];
  host: Pick<RunRecord['host'], 'memoryMb'>;
  /** At work at the same time in the suite's environment, other suites' users there included. */
  users: number;
  /** Suites that shared the environment at the same time, this one included. */
  suitesAtOnce: number;
  crashes: readonly Crash[];
  artifacts: Artifacts;
}

/** @param artifacts of this suite. */
export function caseOf(
  suite: SuiteRecord,
  record: Pick<RunRecord, 'environment' | 'users' | 'suites'> & Pick<Case, 'host'>,
  artifacts: Artifacts,
): Case {
  const suitesAtOnce = record.suites.filter(({ stack }) => stack === suite.stack).length;
  return {
    suite,
    environment: record.environment,
    host: record.host,
    users: record.users * suitesAtOnce,
    suitesAtOnce,
    // Rules may rely on it that a service has a limit.
    crashes: (suite.crashes.measured ? suite.crashes.value : []).filter(
      ({ service }) => service in record.environment.services,
    ),
    artifacts,
  };
}

/** In the order of the log; where no log was saved, what the record quotes of it. */
export function* linesOf({ suite, artifacts }: Case, service: string): Generator<LogLine> {
  const quoted = suite.lastLines.find((each) => each.service === service)?.lines ?? [];
  for (const line of artifacts[service]?.log ?? quoted) {
    if (line !== '') yield parseLine(service, line);
  }
}

/** The first line of the service's that is such a one. */
export function firstLine(
  of: Case,
  service: string,
  isSuch: (line: LogLine) => boolean,
): LogLine | undefined {
  for (const line of linesOf(of, service)) if (isSuch(line)) return line;
  return undefined;
}

/** The last lines of the service's that are such ones, at most `count`. */
export function lastLines(
  of: Case,
  service: string,
  count: number,
  isSuch: (line: LogLine) => boolean = () => true,
): LogLine[] {
  const last: LogLine[] = [];
  for (const line of linesOf(of, service)) {
    if (!isSuch(line)) continue;
    last.push(line);
    if (last.length > count) last.shift();
  }
  return last;
}

function parseLine(service: string, line: string): LogLine {
  const [time = '', ...words] = line.split(' ');
  const atMs = /^\d{4}-/.test(time) ? Date.parse(time) : Number.NaN;
  return Number.isNaN(atMs)
    ? { service, text: line }
    : { service, at: new Date(atMs).toISOString(), text: words.join(' ') };
}

const longestText = 400;

/** One line of it: where in the code an error came from is for other readers. */
export function shortened(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/^\s+at /.test(line));
  const line = lines.map((each) => each.trim()).join(' | ');
  return line.length > longestText ? `${line.slice(0, longestText)} …` : line;
}

export const logEvidence = ({ text, ...where }: LogLine): Evidence => ({
  kind: 'log',
  ...where,
  text: shortened(text),
});

export const crashEvidence = ({ service, at, evidence, exitCode }: Crash): Evidence => ({
  kind: 'event',
  service,
  ...(at === undefined ? {} : { at }),
  text: shortened(
    exitCode === undefined || evidence.includes('exit code')
      ? evidence
      : `${evidence}, exit code ${String(exitCode)}`,
  ),
});

/** What the service was sampled to use; undefined when it wasn't. */
export function memoryOf({ suite: { memory } }: Case, service: string): ServiceMemory | undefined {
  return memory.measured ? memory.value.services[service as ServiceName] : undefined;
}
type ServiceMemory = NonNullable<
  Extract<SuiteRecord['memory'], { measured: true }>['value']['services'][ServiceName]
>;

export const limitOf = ({ environment }: Case, service: string): number =>
  environment.services[service as ServiceName];

/** A variable of the service's environment, as its container had it. */
export function variableOf({ artifacts }: Case, service: string, name: string): string | undefined {
  const variable = artifacts[service]?.inspect?.Config.Env.find((text) => text.startsWith(`${name}=`));
  return variable?.slice(name.length + 1);
}

/** @returns milliseconds from the one to the other, undefined when one has no time. */
export function msBetween(from: string | undefined, to: string | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : Date.parse(to) - Date.parse(from);
}
