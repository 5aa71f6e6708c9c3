import Table from 'cli-table3';
import {
  costLines,
  heading,
  memoryRows,
  metricRows,
  outcomeTroubles,
  runnerLine,
  scheduleLine,
  suiteRows,
  troublesOf,
  verdictLine,
  type Rows,
  type Trouble,
} from './content.js';
import type { Outcome, RunRecord, SuiteRecord, TestResult } from './record.js';
import { recommendationLines, whys, type Why } from './why.js';

/** The run's summary as plain text: no colours, the verdict last. */
export function terminalReport(record: RunRecord, folder: string): string {
  return [
    heading(record).join('\n'),
    table(suiteRows(record.suites)),
    table(memoryRows(record)),
    scheduleLine(record),
    runnerLine(record),
    ...costLines(record),
    ...record.suites.flatMap(details),
    ...whyReport(record),
    metricTable(record),
    verdictLine(record),
    `Artifacts: ${folder}`,
  ].join('\n\n');
}

/** No colours, which a pipe can't show, and no line between rows. */
export const plain = {
  style: { head: [], border: [] },
  chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
};

/** Text to the left, figures to the right. */
export function table({ head, rows }: Rows): string {
  const figures = head.slice(1).map(() => 'right' as const);
  const made = new Table({ head, colAligns: ['left', ...figures], ...plain });
  made.push(...rows);
  return made.toString();
}

const longestDetail = 4_000;

function details(suite: SuiteRecord): string[] {
  const lines = troublesOf(suite).map(asText);
  if (lines.length === 0) return [];
  const text = lines.join('\n');
  const shown =
    text.length > longestDetail ? `${text.slice(0, longestDetail)}\n… (the rest is in the record)` : text;
  return [`${suite.name}:\n${indent(shown)}`];
}

/** The diagnosis of each suite that was not good for a "go", and what it recommends. */
export function whyReport(record: RunRecord): string[] {
  const recommended = recommendationLines(record);
  return [...whys(record).map(whyText), ...(recommended.length === 0 ? [] : [recommended.join('\n')])];
}

function whyText({ title, seen, causes, conclusion, unexplained }: Why): string {
  const shown = (evidence: readonly string[]): string[] => evidence.map((line) => `     ${line}`);
  const lines = [
    ...shown(seen),
    ...causes.flatMap(({ says, evidence }, index) => [`${String(index + 1)}. ${says}`, ...shown(evidence)]),
    conclusion,
    ...shown(unexplained),
  ];
  return [title, ...lines.map(indent)].join('\n');
}

const asText = ({ title, text }: Trouble): string => (text === undefined ? title : `${title}\n${text}`);
const indent = (text: string): string => text.replace(/^/gm, '  ');

/** Why a suite didn't pass: its outcome, then each test that didn't. */
export function explain(outcome: Outcome, tests: readonly TestResult[]): string[] {
  return outcomeTroubles(outcome, tests).map(asText);
}

function metricTable(record: RunRecord): string {
  const { head, rows } = metricRows(record);
  const made = new Table({ head, colWidths: [null, null, null, null, 50], wordWrap: true, ...plain });
  made.push(...rows);
  return made.toString();
}
