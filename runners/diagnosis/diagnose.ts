import { serviceNames } from '../../components/services.js';
import type { Crash, Metric, RunRecord, SuiteRecord } from '../report/record.js';
import type { Cause, Diagnosis, Evidence, Recommendation } from '../report/diagnosis-schema.js';
import { crashMetricName, judgeRun } from '../verdict.js';
import {
  caseOf,
  crashEvidence,
  lastLines,
  logEvidence,
  shortened,
  type Artifacts,
  type Case,
  type LogLine,
} from './case.js';
import type { Fact } from './facts.js';
import { mergeChanges } from './merge-changes.js';
import { rules } from './rules.js';
import { failedTests } from './suite-rules.js';

type Known = Pick<RunRecord, 'suites' | 'environment' | 'users' | 'chosen' | 'notChosen'> & {
  host: Case['host'];
};

/** A chain that comes back to where it was would never end. */
const longestChain = 8;
const quotedLines = 3;
const quotedTests = 3;

/**
 * Why each suite that isn't good for a "go" isn't: the five whys, each with its evidence. Only what the evidence
 * holds is in a chain; where no rule knows the cause, it is "unknown", with what there is to read.
 * @param artifacts of each suite, by its name.
 */
export function diagnose(
  record: Known,
  artifacts: Readonly<Record<string, Artifacts>>,
): Pick<RunRecord, 'diagnosis' | 'recommended'> {
  const diagnosis = record.suites.flatMap((suite) =>
    diagnoseSuite(caseOf(suite, record, artifacts[suite.name] ?? {}), record),
  );
  return { diagnosis, recommended: mergeChanges(diagnosis, record.environment) };
}

/** First why it didn't pass, or which metrics it misses; then each memory that ran out and isn't the cause of that. */
function diagnoseSuite(of: Case, record: Known): Diagnosis[] {
  const missed = missedBy(of.suite, record);
  const outcome =
    of.suite.outcome.kind === 'passed' && missed.length === 0 ? [] : [explain(of, symptomOf(of, missed))];
  const quoted = textsOf(outcome.flatMap(({ chain }) => chain));
  const others = of.crashes.filter(
    (crash) => (crash.kind === 'oom' || crash.kind === 'exhausted') && !quoted.has(crashEvidence(crash).text),
  );
  return [...outcome, ...others.map((crash) => explain(of, symptomOfCrash(of, crash)))];
}

/** The metrics that forbid a "go" on this suite's account, its crashes apart. */
function missedBy(suite: SuiteRecord, record: Known): Metric[] {
  const crashed = suite.crashes.measured && suite.crashes.value.length > 0;
  const own = judgeRun({ ...record, suites: [suite], chosen: [suite.name], notChosen: [] });
  const ofRun = judgeRun(record).metrics;
  return own.metrics.filter(
    // What this suite doesn't measure, another one of the run may.
    ({ name, result }) =>
      result !== 'ok' &&
      !(crashed && name === crashMetricName) &&
      ofRun.some((metric) => metric.name === name && metric.result !== 'ok'),
  );
}

function explain(of: Case, symptom: Fact): Diagnosis {
  const chain: Cause[] = [causeFrom('symptom', symptom)];
  let effect = symptom;
  while (chain.length < longestChain) {
    const found = causeOf(effect, of);
    if (found === undefined) break;
    chain.push(causeFrom(found.rule, found.cause));
    effect = found.cause;
    if (effect.kind === 'root') return { suite: of.suite.name, chain, conclusion: concluded(effect.advice) };
  }
  return { suite: of.suite.name, chain, conclusion: { kind: 'unknown', evidence: allEvidence(of, chain) } };
}

function causeOf(effect: Fact, of: Case): { rule: string; cause: Fact } | undefined {
  for (const rule of rules) {
    const cause = rule.causeOf(effect, of);
    if (cause !== undefined) return { rule: rule.id, cause };
  }
  return undefined;
}

const concluded = (recommendation: Recommendation | undefined): Diagnosis['conclusion'] => ({
  kind: 'explained',
  ...(recommendation === undefined ? {} : { recommendation }),
});

const causeFrom = (rule: string, { says, evidence, link }: Fact): Cause => ({ rule, says, evidence, link });

function symptomOf({ suite }: Case, missed: readonly Metric[]): Fact {
  const { outcome, name } = suite;
  const inWords = missed.map(
    (metric) => `${metric.name}: ${metric.figure} (limit ${metric.limit}), ${metric.reason}`,
  );
  const [first = 'no metric', ...others] = outcome.kind === 'passed' ? inWords : [reasonOf(suite)];
  return {
    kind: 'symptom',
    says:
      outcome.kind === 'passed'
        ? `${name} passed, but not every metric holds`
        : `${name} ${outcomeWords(suite)}`,
    evidence: [
      { kind: 'outcome', text: shortened(first) },
      ...others.map((text) => ({ kind: 'outcome' as const, text: shortened(text) })),
      ...failedTests(suite).slice(0, quotedTests),
    ],
    link: '',
  };
}

function symptomOfCrash({ suite }: Case, crash: Crash): Fact {
  const what = crash.kind === 'oom' ? 'an OOM kill' : 'memory that ran out';
  return {
    kind: 'symptom',
    crash,
    says: `${what} in ${crash.service} while ${suite.name} had the environment`,
    evidence: [crashEvidence(crash)],
    link: '',
  };
}

function outcomeWords({ outcome }: SuiteRecord): string {
  return outcome.kind === 'errored' ? `got no fair try (${outcome.phase})` : outcome.kind;
}

function reasonOf({ outcome, crashes }: SuiteRecord): string {
  switch (outcome.kind) {
    case 'passed':
      return 'passed';
    case 'failed':
    case 'not run':
      return firstLine(outcome.reason);
    case 'errored':
      // Without a crash there is nothing else that would say what went wrong.
      return crashes.measured && crashes.value.length === 0 ? outcome.message : firstLine(outcome.message);
    case 'timed out':
      return `it did not end within its ${String(outcome.timeoutMs / 1000)} s`;
    case 'interrupted':
      return `interrupted (${outcome.phase})`;
  }
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

/** What programs call what went wrong. */
const complaint = /"level":"(?:error|fatal)"|\b(?:ERROR|FATAL|PANIC)\b/;

/** What there is to read about it, what the chain quotes left out. */
function allEvidence(of: Case, chain: readonly Cause[]): Evidence[] {
  const befallen = new Set(of.crashes.map(({ service }) => service));
  const evidence: Evidence[] = [
    ...failedTests(of.suite).slice(0, quotedTests),
    ...of.crashes.map(crashEvidence),
    ...serviceNames.flatMap((service) => {
      const isTelling = ({ text }: LogLine): boolean => befallen.has(service) || complaint.test(text);
      return lastLines(of, service, quotedLines, isTelling).map(logEvidence);
    }),
  ];
  const quoted = textsOf(chain);
  return evidence.filter(({ text }) => !quoted.has(text));
}

const textsOf = (chain: readonly Cause[]): Set<string> =>
  new Set(chain.flatMap(({ evidence }) => evidence.map(({ text }) => text)));
