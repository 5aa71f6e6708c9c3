import type { Crash, SuiteRecord } from '../report/record.js';
import type { Evidence } from '../report/diagnosis-schema.js';
import { crashEvidence, firstLine, lastLines, logEvidence, shortened, type Case } from './case.js';
import { rule, type Fact, type Rule } from './facts.js';

/** From a suite that isn't good for a "go" to the service that is to blame. */

/** What clients say whose server went away: WebSocket closures, sockets, and a proxy with nobody behind it. */
const brokenConnection =
  /\bclosed with (?:1001|1006|1011|1013|1012)\b|\bECONNRESET\b|\bECONNREFUSED\b|\bsocket hang up\b|\bother side closed\b|\bConnection terminated\b|\b50[234]\b.{0,20}\bunavailable\b/;

/** Done to a service from outside the run. */
const outside: readonly Crash['kind'][] = ['killed', 'paused', 'cut off', 'gone'];
/** A service's own end, by itself or by the kernel. */
const ownEnds: readonly Crash['kind'][] = ['exit', 'oom', 'exhausted', 'host oom'];
/** What the suites' connections lead to; the stores behind them are only read. */
const fronts: readonly string[] = ['frontend', 'backend', 'auth'];

const endedByItself = ({ kind, exitCode }: Crash): boolean =>
  ownEnds.includes(kind) && exitCode !== undefined;

export const failedTests = ({ tests }: SuiteRecord): Evidence[] =>
  tests.flatMap(({ name, status, failure }) =>
    status === 'failed'
      ? [{ kind: 'test' as const, text: shortened(`${name}: ${failure ?? 'failed'}`) }]
      : [],
  );

/** Why this service's fault is this suite's: the engine's event ended it, or came while it had the environment. */
function linkToSuite({ suite }: Case, { service, at }: Crash): string | undefined {
  if (suite.fault?.service === service) {
    return `the run ended the suite ${suite.fault.endedAfterMs.toFixed(0)} ms after it`;
  }
  if (at === undefined) return undefined;
  const phase = suite.outcome.kind === 'errored' ? suite.outcome.phase : 'suite';
  return phase === 'suite'
    ? 'it happened while the suite had the environment'
    : `it happened before the suite ran (${phase})`;
}

function endedFact(of: Case, crash: Crash, link: string): Fact {
  const { service, at, exitCode } = crash;
  return {
    kind: 'service ended',
    crash,
    says: `${service} ended with exit code ${String(exitCode)}`,
    evidence: [crashEvidence(crash), ...lastLines(of, service, 1).map(logEvidence)],
    link: at === undefined ? link : `at ${at}; ${link}`,
  };
}

/** The first one counts: what comes later may come of it. */
const firstOf = (of: Case, wanted: (crash: Crash) => boolean): Crash | undefined =>
  of.crashes.filter(({ kind }) => !outside.includes(kind)).find(wanted);

/** Such a chain begins with the crash itself, not with what became of the suite. */
const isCrash = (effect: Fact): boolean => effect.kind === 'symptom' && effect.crash !== undefined;

/** How services that live on without it tell of a process of theirs. */
const processDied: Readonly<Record<string, RegExp>> = {
  backend: /"msg":"worker died"/,
  postgres: /\(PID \d+\) was terminated by signal \d+/,
};

export const suiteRules: readonly Rule[] = [
  rule({
    id: 'connections-broke',
    explains: ['symptom'],
    needs: "a failed test, or the suite's output, that says its connection was closed or refused",
    causeOf(effect, { suite, crashes }) {
      if (isCrash(effect)) return undefined;
      const { outcome } = suite;
      const said = outcome.kind === 'failed' ? outcome.reason.split('\n') : [];
      const quoted = crashes.length > 0 && suite.tests.length === 0 ? [] : said;
      const evidence = [
        ...failedTests(suite),
        ...quoted.map((line) => ({ kind: 'outcome' as const, text: shortened(line.trim()) })),
      ].filter(({ text }) => brokenConnection.test(text));
      const [first, ...others] = evidence;
      if (first === undefined) return undefined;
      return {
        kind: 'connections broke',
        says: "the suite's connections broke",
        evidence: [first, ...others.slice(0, 2)],
        link: 'the tests failed by it',
      };
    },
  }),
  rule({
    id: 'service-ended',
    explains: ['symptom', 'connections broke'],
    needs:
      'the end of a container to which nobody sent a signal through the engine, while the suite or its environment needed it',
    causeOf(effect, of) {
      const crash = firstOf(of, endedByItself);
      if (crash === undefined || isCrash(effect)) return undefined;
      const link = linkToSuite(of, crash);
      if (link === undefined) return undefined;
      const leadsThere = fronts.includes(crash.service) || of.suite.fault?.service === crash.service;
      if (effect.kind === 'connections broke' && !leadsThere) return undefined;
      return endedFact(of, crash, link);
    },
  }),
  rule({
    id: 'process-died',
    explains: ['symptom', 'connections broke'],
    needs:
      'the line in which the backend or PostgreSQL tells that one of its processes died, while the service lives on',
    causeOf(effect, of) {
      if (isCrash(effect) || !failsOfProcess(effect, of)) return undefined;
      for (const [service, line] of Object.entries(processDied)) {
        const died = firstLine(of, service, ({ text }) => line.test(text));
        const ended = of.crashes.some((crash) => crash.service === service && crash.exitCode !== undefined);
        if (died === undefined || ended) continue;
        return {
          kind: 'process ended',
          service,
          ...(died.at === undefined ? {} : { at: died.at }),
          says: `a process of ${service} died, and its connections with it`,
          evidence: [logEvidence(died)],
          link: `its connections led to ${service}${died.at === undefined ? '' : `; at ${died.at}`}`,
        };
      }
      return undefined;
    },
  }),
  rule({
    id: 'killed-from-outside',
    explains: ['symptom', 'connections broke'],
    needs:
      "a signal that was sent through the engine, and the container's end; exit code 137 alone is no OOM kill",
    causeOf(effect, of) {
      const [crash] = of.crashes;
      if (crash?.kind !== 'killed' || isCrash(effect)) return undefined;
      const link = linkToSuite(of, crash);
      if (link === undefined) return undefined;
      return {
        kind: 'root',
        says: `${crash.service} was killed from outside the run: it is no finding about memory`,
        evidence: [crashEvidence(crash)],
        link,
      };
    },
  }),
  rule({
    id: 'unhealthy',
    explains: ['symptom', 'connections broke'],
    needs: "the engine's event that a service's health check failed too often",
    causeOf(effect, of) {
      const crash = firstOf(of, () => true);
      if (crash?.kind !== 'unhealthy' || isCrash(effect)) return undefined;
      const link = linkToSuite(of, crash);
      if (link === undefined) return undefined;
      return {
        kind: 'unhealthy',
        crash,
        says: `${crash.service} was unhealthy`,
        evidence: [crashEvidence(crash)],
        link,
      };
    },
  }),
];

/** A process's end is told to its users as a broken connection, or as a run that failed with `internal`. */
function failsOfProcess(effect: Fact, { suite }: Case): boolean {
  if (effect.kind === 'connections broke') return true;
  return failedTests(suite).some(({ text }) => /\binternal\b/.test(text));
}
