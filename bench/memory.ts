import { serviceNames, type ServiceName } from '../components/services.js';
import { messageOf } from '../runners/errors.js';
import type { Memory, RunRecord } from '../runners/report/record.js';
import { userCounts } from './events.js';
import { shown } from './figure-table.js';
import { eventSuites, loadOf, usualUsers } from './load.js';
import type { BenchPart, BenchTable, Measured } from './part.js';
import { poolerFigures } from './pooler.js';
import type { Figure } from './statistics.js';

export const memory: BenchPart = {
  name: 'memory',
  rounds: 1,
  describe: 'memory of each service idle, at its peak and per user; PostgreSQL with and without PgBouncer',
  async run(site): Promise<Measured> {
    const records: RunRecord[] = [];
    const problems: string[] = [];
    const attempt = async (work: () => Promise<void>): Promise<void> => {
      if (site.signal.aborted) return;
      await work().catch((error: unknown) => {
        if (!site.signal.aborted) problems.push(messageOf(error));
      });
    };
    for (const users of userCounts) {
      await attempt(async () => {
        const load = await loadOf(site, users);
        records.push(load.record);
        problems.push(...load.problems);
      });
    }
    const figures: Figure[] = [];
    const tables: BenchTable[] = records.length === 0 ? [] : [servicesTable(records)];
    await attempt(async () => {
      const pooled = await poolerFigures(site);
      figures.push(...pooled.figures);
      tables.push(pooled.table);
    });
    return { figures: [...records.flatMap(peakFigures), ...figures], tables, problems };
  },
};

/** @param suites of which it is asked; all by default. */
const memoriesOf = ({ suites: all }: RunRecord, suites?: readonly string[]): Memory[] =>
  all
    .filter(({ name }) => suites?.includes(name) ?? true)
    .flatMap(({ memory: found }) => (found.measured ? [found.value] : []));

const highest = (values: readonly (number | undefined)[]): number | undefined => {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
};

type Of = (memory: Memory) => number | undefined;
const peakOf =
  (service: ServiceName): Of =>
  ({ services }) =>
    services[service]?.peakMb;
const idleOf =
  (service: ServiceName): Of =>
  ({ services }) =>
    services[service]?.baselineMb;

/** What a user adds, between the fewest and the most: what the first one costs anyway isn't his. */
export function perUserMb(peaks: readonly { users: number; peakMb: number }[]): number | undefined {
  const [first, last] = [peaks[0], peaks.at(-1)];
  if (first === undefined || last === undefined || first.users === last.users) return undefined;
  return (last.peakMb - first.peakMb) / (last.users - first.users);
}

/** Of each, the highest of the suites' environments. What users add is only seen between the same suites. */
function servicesTable(records: readonly RunRecord[]): BenchTable {
  const whole = records.find(({ users }) => users === usualUsers);
  const row = (name: string, limitMb: number | undefined, idle: Of, peak: Of): string[] => {
    const text = (value: number | undefined): string => (value === undefined ? '-' : shown(value));
    const peaks = records.flatMap((record) => {
      const peakMb = highest(memoriesOf(record, eventSuites).map(peak));
      return peakMb === undefined ? [] : [{ users: record.users, peakMb }];
    });
    const found = records.map(({ users }) => peaks.find((one) => one.users === users)?.peakMb);
    const idleMb = highest(records.flatMap((record) => memoriesOf(record).map(idle)));
    const wholeMb = whole === undefined ? undefined : highest(memoriesOf(whole).map(peak));
    return [name, ...[limitMb, idleMb, wholeMb, ...found, perUserMb(peaks)].map(text)];
  };
  return {
    title: `Memory of an environment of profile standard, MiB, the highest of the suites; per user: of ${eventSuites.join(' and ')}`,
    rows: {
      head: [
        ...['', 'limit', 'idle', `peak, five suites, ${String(usualUsers)} users`],
        ...records.map(({ users }) => `two suites, ${String(users)} users`),
        'per user',
      ],
      rows: [
        ...serviceNames.map((service) =>
          row(service, records[0]?.environment.services[service], idleOf(service), peakOf(service)),
        ),
        row(
          'all at the same time',
          records[0]?.environment.limitMb,
          ({ baselineMb }) => baselineMb,
          ({ peakMb }) => peakMb,
        ),
      ],
    },
  };
}

const peakFigures = (record: RunRecord): Figure[] => [
  {
    name: `peak of all services, ${String(record.users)} users`,
    unit: 'MiB',
    values: memoriesOf(record).map(({ peakMb }) => peakMb),
  },
];
