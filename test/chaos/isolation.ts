import { rm } from 'node:fs/promises';
import { parseConfig } from '../../components/config.js';
import { checkout } from '../../engine/state.js';
import { messageOf } from '../../runners/errors.js';
import { verdictLine } from '../../runners/report/content.js';
import type { RunRecord, SuiteRecord } from '../../runners/report/record.js';
import { allSuites, type Suite } from '../../runners/suites.js';
import type { ChaosContext, ChaosPart, ChaosResult } from './part.js';
import { isolationTest } from './support/isolation-test.js';
import { shuffled } from './support/random.js';
import { newWard, type Ward } from './support/ward.js';

const ordersPerCount = 2;
const atOnce = 2;
const critical = allSuites(parseConfig({}, 'the defaults'), checkout);

export const isolation: ChaosPart = {
  name: 'isolation',
  describe: (count) =>
    `the ${String(critical.length)} critical suites in ${String(count * ordersPerCount)} shuffled orders, ` +
    `${String(atOnce)} runners at once, each suite looking for what isn't its own`,
  run: tryAll,
};

async function tryAll(count: number, { progress, signal, random }: ChaosContext): Promise<ChaosResult> {
  const ward = await newWard({ signal });
  const rows: string[][] = [];
  let failed = 0;
  for (let pair = 0; pair < count; pair += 1) {
    const step = progress.step(`pair ${String(pair + 1)} of ${String(count)}`);
    const orders = Array.from({ length: atOnce }, () => shuffled(critical, random));
    const findings = await runAtOnce(orders, ward).catch((error: unknown): Finding[] => [
      { row: [`pair ${String(pair + 1)}`, '-', '-', '-', 'failed'], problem: messageOf(error) },
    ]);
    if (signal.aborted) break;
    rows.push(...findings.map(({ row }) => row));
    const problems = findings.flatMap(({ problem }) => problem ?? []);
    failed += problems.length;
    if (problems.length === 0) step.done();
    else step.fail(problems.join('\n'));
  }
  if (failed === 0) await ward.dismiss();
  const head = ['suite', 'run', 'verdict of the run', 'outcome', "anything of another's"];
  return { rows: { head, rows }, passed: rows.length - failed, failed };
}

interface Finding {
  row: string[];
  problem?: string;
}

/** @throws Error unless each run left a record, and nothing else, and they ran at the same time. */
async function runAtOnce(orders: readonly (readonly Suite[])[], ward: Ward): Promise<Finding[]> {
  const runs = await Promise.all(
    orders.map((order) => ward.start({ 'rehearsal:suites': order.map(isolated) })),
  );
  await Promise.all(runs.map(({ ended }) => ended));
  const records = (await runs[0]?.records()) ?? [];
  if (records.length !== orders.length) {
    const said = runs.map((run) => run.output()).join('\n');
    throw new Error(`there are ${String(records.length)} records:\n${said}`);
  }
  await ward.untilNothingIsLeft();
  const lastStart = Math.max(...records.map(({ record }) => Date.parse(record.startedAt)));
  const firstEnd = Math.min(...records.map(({ record }) => Date.parse(record.endedAt)));
  if (lastStart >= firstEnd) throw new Error('the runs came one after the other');
  const findings = records.flatMap(({ record }) => record.suites.map((suite) => findingOf(suite, record)));
  if (findings.every(({ problem }) => problem === undefined)) {
    for (const { folder } of records) await rm(folder, { recursive: true });
  }
  return findings;
}

const isolated = ({ name, timeoutMs }: Suite): object => ({
  name,
  command: ['node', '--import', 'tsx', 'test/chaos/isolated-suite.ts', name],
  timeoutSeconds: timeoutMs / 1000,
});

function findingOf({ name, tests, outcome }: SuiteRecord, record: RunRecord): Finding {
  const { runId } = record;
  const row = [name, runId, verdictLine(record), outcome.kind];
  const looked = tests.find((test) => test.name === isolationTest);
  if (looked?.status === 'passed') return { row: [...row, 'none'] };
  const problem = `${runId}, ${name}: ${looked?.failure ?? `nobody looked, the suite ${JSON.stringify(outcome)}`}`;
  return { row: [...row, 'failed'], problem };
}
