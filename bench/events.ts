import { messageOf } from '../runners/errors.js';
import { shown } from './figure-table.js';
import {
  delayTest,
  eventSuites,
  loadOf,
  summariseDeliveries,
  usualUsers,
  type DeliverySummary,
} from './load.js';
import type { BenchPart, Measured } from './part.js';
import type { Figure } from './statistics.js';

export const userCounts = [usualUsers, 50, 100];

export const events: BenchPart = {
  name: 'events',
  rounds: 1,
  describe: `event delivery with ${userCounts.join(', ')} users at work at the same time`,
  async run(site): Promise<Measured> {
    const rows: string[][] = [];
    const figures: Figure[] = [];
    const problems: string[] = [];
    const isOver = (): boolean => site.signal.aborted;
    for (const users of userCounts) {
      if (isOver()) break;
      try {
        const load = await loadOf(site, users);
        const summary = summariseDeliveries(load.deliveries);
        const suites = load.record.suites.filter(({ name }) => eventSuites.includes(name));
        const tests = suites.flatMap((suite) => suite.tests).filter(({ name }) => name !== delayTest);
        const passed = tests.filter(({ status }) => status === 'passed').length;
        rows.push([
          String(users),
          String(summary.count),
          ...[summary.perSecond, summary.mostInASecond, summary.p50Ms, summary.p99Ms, summary.maxMs].map(
            shown,
          ),
          `${String(passed)} of ${String(tests.length)}`,
        ]);
        figures.push(...figuresOf(users, summary));
        problems.push(...load.problems);
      } catch (error) {
        if (!isOver()) problems.push(`${String(users)} users: ${messageOf(error)}`);
      }
    }
    const head = [
      ...['users', 'deliveries', 'per second', 'most in a second', 'p50 ms', 'p99 ms', 'max ms'],
      'tests for loss and order that passed',
    ];
    return {
      figures,
      tables: [{ title: 'Event delivery, profile standard', rows: { head, rows } }],
      problems,
    };
  },
};

function figuresOf(users: number, { perSecond, p50Ms, p99Ms, maxMs }: DeliverySummary): Figure[] {
  const of = (name: string, unit: string, value: number): Figure => ({
    name: `${String(users)} users: ${name}`,
    unit,
    values: [value],
  });
  return [
    of('deliveries', '1/s', perSecond),
    of('p50', 'ms', p50Ms),
    of('p99', 'ms', p99Ms),
    of('max', 'ms', maxMs),
  ];
}
