import { stripVTControlCharacters } from 'node:util';
import { markdownTable } from 'markdown-table';
import {
  costLines,
  heading,
  memoryRows,
  metricRows,
  peakRows,
  runnerLine,
  scheduleLine,
  suiteRows,
  troublesOf,
  verdictLine,
  type Rows,
  type Trouble,
} from './content.js';
import type { RunRecord, SuiteRecord } from './record.js';
import { recommendationLines, whys, type Why } from './why.js';

/** GitHub takes 1024 KiB per step, whatever else that step says. */
const largestBytes = 256 * 1024;
/** A table's cell and a line, in characters. */
const longestLine = 500;
const longestText = 8_000;

/** The run for people and for a CI's page: Markdown with the verdict first, at most 256 KiB. */
export function markdownSummary(record: RunRecord): string {
  const figures = [
    `## ${escape(verdictLine(record))}`,
    heading(record).map(escape).join('<br>\n'),
    table(metricRows(record), 'l'),
    ...whys(record).map(why),
    ...recommendationLines(record).map(escape),
    table(suiteRows(record.suites), 'r'),
    folded('Memory of each service, its highest peak', table(memoryRows(record), 'r')),
    folded('Memory of each service in each suite', table(peakRows(record), 'r')),
    escape(scheduleLine(record)),
    escape(runnerLine(record)),
    ...costLines(record).map(escape),
  ];
  return cap([...figures, ...record.suites.flatMap(didNotGoWell)]);
}

function didNotGoWell(suite: SuiteRecord): string[] {
  const troubles = troublesOf(suite);
  if (troubles.length === 0) return [];
  return [
    `### ${escape(suite.name)}`,
    ...troubles.map(block),
    ...suite.lastLines.map(({ service, lines }) =>
      block({ title: `last log lines of ${service}`, text: lines.join('\n') }),
    ),
    `Logs and samples: ${escape(suite.folder)}/ in the run's artifacts`,
  ];
}

function block({ title, text }: Trouble): string {
  if (text === undefined) return `- ${escape(title)}`;
  const shown = text.length > longestText ? `${text.slice(0, longestText)}\n… (cut)` : text;
  // Only after an empty line does Markdown see that this ends with </pre>, and not with the next empty line.
  return folded(title, `<pre>\n${preformatted(shown)}\n</pre>`);
}

const folded = (title: string, content: string): string =>
  `<details><summary>${escape(title)}</summary>\n\n${content}\n\n</details>`;

/** Indented, so that a cause's evidence stays with it. */
function why({ title, seen, causes, conclusion, unexplained }: Why): string {
  const list = (lines: readonly string[], indent = ''): string =>
    lines.map((line) => `${indent}- ${escape(line)}`).join('\n');
  return [
    `**${escape(title)}**`,
    list(seen),
    causes
      .map(({ says, evidence }, index) => `${String(index + 1)}. ${escape(says)}\n${list(evidence, '   ')}`)
      .join('\n'),
    escape(conclusion),
    list(unexplained),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function table({ head, rows }: Rows, alignment: 'l' | 'r'): string {
  const align = ['l', ...head.slice(1).map(() => alignment)];
  return markdownTable(
    [head, ...rows].map((row) => row.map(escape)),
    { align, alignDelimiters: false },
  );
}

/** What comes first is what counts: the end goes when all is too much. */
function cap(blocks: readonly string[]): string {
  let bytes = 0;
  const kept = blocks.filter((each) => (bytes += Buffer.byteLength(each) + 2) <= largestBytes);
  const cut = kept.length < blocks.length ? ['… (cut: the rest is in record.json)'] : [];
  return `${[...kept, ...cut].join('\n\n')}\n`;
}

/** One line that means nothing to Markdown or HTML: letters, digits and what is harmless anywhere stay. */
function escape(text: string): string {
  const line = stripVTControlCharacters(text).replace(/\s+/g, ' ').trim();
  const shown = line.length > longestLine ? `${line.slice(0, longestLine)} …` : line;
  return shown.replace(/[^\p{L}\p{N} .,:;()=%?…-]/gu, asEntity);
}

const preformatted = (text: string): string =>
  stripVTControlCharacters(text)
    .replace(/[^\P{Cc}\n\t]/gu, '')
    .replace(/[&<>]/g, asEntity);

const asEntity = (character: string): string => `&#${String(character.codePointAt(0))};`;
