import type { Crash } from '../report/record.js';
import type { Change } from '../report/diagnosis-schema.js';
import {
  crashEvidence,
  lastLines,
  limitOf,
  logEvidence,
  memoryOf,
  msBetween,
  variableOf,
  type Case,
  type LogLine,
} from './case.js';
import { rule, type Advice, type Fact, type FactOf, type Rule } from './facts.js';
import { memoryAdvice, mib, roundUpMb } from './numbers.js';

/** Limits that a program sets itself, below its container's: the kernel kills nobody there. */

/** A process writes why it ends a moment before it does. */
const togetherMs = 10_000;
/** What nobody saw: how much it would have wanted. As often as that, the next limit shows it. */
const again = 2;
/** `ClickHouse` may plan with this share of its container's limit; see its component. */
const clickhouseShare = 0.8;
/** Redis's own tables and fragmentation come on top of what it counts. */
const redisOverhead = 1.25;

function exhaustion(of: Case, says: RegExp): Crash | undefined {
  return of.crashes.find(({ kind, evidence }) => kind === 'exhausted' && says.test(evidence));
}

/** Of a service that runs on. It explains a suite's failure only when nothing else had befallen a service before. */
function refusal(effect: FactOf<'symptom' | 'connections broke'>, of: Case, says: RegExp): Crash | undefined {
  const crash = exhaustion(of, says);
  const isReason = effect.kind === 'symptom' && effect.crash !== undefined;
  const [first] = isReason ? [effect.crash] : of.crashes;
  return crash === first ? crash : undefined;
}

function root(crash: Crash, says: string, link: string, more: Partial<FactOf<'root'>> = {}): Fact {
  return { kind: 'root', says, evidence: [crashEvidence(crash)], link, ...more };
}

const advised = (advice: Advice | undefined): { advice?: Advice } => (advice === undefined ? {} : { advice });

const met = (crash: Crash): string =>
  `a request was refused by it while the suite ran${crash.at === undefined ? '' : `, at ${crash.at}`}`;

/** V8 prints its last collections before it gives up: `Mark-sweep 50.2 (52.6) -> 50.1 (53.1) MB`. */
const collection = /-> (\d+(?:\.\d+)?) \(\d+(?:\.\d+)?\) MB/;
const heapOption = /--max-old-space-size=\d+\s*/g;

function heapAdvice(of: Case, service: string, heapMb: number): Advice | undefined {
  const processes = service === 'backend' ? Number(variableOf(of, service, 'WEB_CONCURRENCY') ?? 1) : 1;
  const toMb = roundUpMb(heapMb * again);
  const before = variableOf(of, service, 'NODE_OPTIONS');
  const others = (before ?? '').replace(heapOption, '').trim();
  const change: Change = {
    kind: 'setting',
    path: ['services', service, 'environment', 'NODE_OPTIONS'],
    ...(before === undefined ? {} : { from: before }),
    to: `${others === '' ? '' : `${others} `}--max-old-space-size=${String(toMb)}`,
  };
  return memoryAdvice(of, {
    service,
    needMb: (memoryOf(of, service)?.peakMb ?? heapMb) + (toMb - heapMb) * processes,
    because: `V8 gave up at a heap of ${mib(heapMb)}; what it would have wanted nobody saw, so at least twice that`,
    besides: [change],
  });
}

export const processRules: readonly Rule[] = [
  rule({
    id: 'v8-heap',
    explains: ['service ended', 'process ended', 'symptom'],
    needs: "V8's last words in the log of a service that ended, or of whose processes one did",
    recommends: "a heap size, twice that of its last collections; a limit where that doesn't fit",
    causeOf(effect, of) {
      const ended = effect.kind === 'process ended' ? effect : effect.crash;
      const crash = exhaustion(of, /^V8's heap limit/);
      if (crash === undefined || crash.service !== ended?.service) return undefined;
      const apartMs = msBetween(crash.at, ended.at);
      if (apartMs !== undefined && Math.abs(apartMs) > togetherMs) return undefined;
      const [last] = lastLines(of, crash.service, 1, ({ text }) => collection.test(text));
      const heapMb = Number(collection.exec(last?.text ?? '')?.[1]);
      const limitMb = limitOf(of, crash.service);
      const at = Number.isFinite(heapMb) ? ` of ${mib(heapMb)}` : '';
      return {
        ...root(
          crash,
          `V8's heap limit${at} was met inside ${crash.service}: no OOM kill, its container's limit is ${mib(limitMb)}`,
          'the process says so as it ends',
          Number.isFinite(heapMb) ? advised(heapAdvice(of, crash.service, heapMb)) : {},
        ),
        evidence: [crashEvidence(crash), ...(last === undefined ? [] : [logEvidence(last)])],
      };
    },
  }),
  rule({
    id: 'redis-maxmemory',
    explains: ['symptom', 'connections broke'],
    needs: "Redis's refusal of a write, in the log of whoever wrote",
    recommends: "a maxmemory, twice as much; a limit where that doesn't fit",
    causeOf(effect, of) {
      const crash = refusal(effect, of, /^Redis's maxmemory/);
      const maxmemoryMb = Number(variableOf(of, 'redis', 'REDIS_MAXMEMORY_MB'));
      if (crash === undefined || !(maxmemoryMb > 0)) return undefined;
      const toMb = maxmemoryMb * again;
      const advice = memoryAdvice(of, {
        service: 'redis',
        needMb: toMb * redisOverhead,
        because: `Redis was full at ${mib(maxmemoryMb)}; what it would have taken nobody saw, so twice that`,
        besides: [
          { kind: 'setting', path: ['services', 'redis', 'maxmemoryMb'], from: maxmemoryMb, to: toMb },
        ],
      });
      return root(
        crash,
        `Redis refused writes at its maxmemory of ${mib(maxmemoryMb)}`,
        met(crash),
        advised(advice),
      );
    },
  }),
  rule({
    id: 'clickhouse-limit',
    explains: ['symptom', 'connections broke'],
    needs: "ClickHouse's message with what a query would have used, and its maximum",
    recommends: "a limit of which ClickHouse's share holds that query",
    causeOf(effect, of) {
      const crash = refusal(effect, of, /^ClickHouse's memory limit/);
      const [, use, useUnit, most, mostUnit] =
        /would use ([\d.]+) ([KMG]iB).*maximum: ([\d.]+) ([KMG]iB)/.exec(crash?.evidence ?? '') ?? [];
      if (crash === undefined || use === undefined || most === undefined) return undefined;
      const wantedMb = Number(use) * (mbOf[useUnit ?? ''] ?? Number.NaN);
      const mostMb = Number(most) * (mbOf[mostUnit ?? ''] ?? Number.NaN);
      const advice = memoryAdvice(of, {
        service: 'clickhouse',
        needMb: wantedMb / clickhouseShare,
        because: `the query wanted ${mib(wantedMb)} when it was refused, and ClickHouse may use ${String(clickhouseShare * 100)} % of its limit`,
      });
      return root(
        crash,
        `ClickHouse refused a query of ${mib(wantedMb)} at its own limit of ${mib(mostMb)}`,
        met(crash),
        advised(advice),
      );
    },
  }),
  rule({
    id: 'postgres-memory',
    explains: ['symptom', 'connections broke'],
    needs: "PostgreSQL's own message that it is out of memory, and the total of the process that says so",
    causeOf(effect, of) {
      const crash = refusal(effect, of, /^PostgreSQL's memory/);
      if (crash === undefined) return undefined;
      const isTotal = ({ at, text }: LogLine): boolean =>
        grandTotal.test(text) && (msBetween(at, crash.at) ?? -1) >= 0;
      const [total] = lastLines(of, 'postgres', 1, isTotal);
      const bytes = Number(grandTotal.exec(total?.text ?? '')?.[1]);
      if (total === undefined || !Number.isFinite(bytes)) return undefined;
      return {
        ...root(
          crash,
          `a process of PostgreSQL with ${mib(bytes / bytesPerMb)} was refused more: no OOM kill at its container's limit of ${mib(limitOf(of, 'postgres'))}`,
          met(crash),
        ),
        evidence: [crashEvidence(crash), logEvidence(total)],
      };
    },
  }),
];

/** The last line of what it logs of its memory when it is refused more. */
const grandTotal = /^Grand total: (\d+) bytes/;
const bytesPerMb = 1024 * 1024;
const mbOf: Readonly<Record<string, number>> = { KiB: 1 / 1024, MiB: 1, GiB: 1024 };
