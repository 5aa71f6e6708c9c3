import type { Evidence } from '../report/diagnosis-schema.js';
import { parseJson } from '../json.js';
import {
  crashEvidence,
  limitOf,
  linesOf,
  logEvidence,
  memoryOf,
  msBetween,
  type Case,
  type LogLine,
} from './case.js';
import { rule, type Fact, type FactOf, type Rule } from './facts.js';
import { memoryAdvice, mib, usersAdvice } from './numbers.js';

/** From a service's end to the memory that it wanted. */

/** The kernel's kill, the engine's event of it and the end of the process are told by different clocks' ticks. */
const togetherMs = 2_000;
/** A sampled peak below this share of the limit didn't see what led to the kill. */
const seenShare = 0.5;
/** What needs less than this share of the limit doesn't fill it. */
const fillingShare = 0.9;
/** Growth below this share of the limit isn't what filled it. */
const grownShare = 0.2;

function oomFact(of: Case, crash: FactOf<'service ended'>['crash'], link: string): Fact {
  const limitMb = crash.memory?.limitMb ?? limitOf(of, crash.service);
  const who = crash.exitCode === undefined ? `a process of ${crash.service}` : crash.service;
  return {
    kind: 'oom kill',
    crash,
    says: `the kernel killed ${who} at the container's memory limit of ${mib(limitMb)}`,
    evidence: [crashEvidence(crash)],
    link,
  };
}

function samplesEvidence({ service, limitMb, baselineMb, peakMb }: Measures): Evidence {
  return {
    kind: 'samples',
    service,
    text: `idle ${mib(baselineMb)}, highest sample ${mib(peakMb)} without page cache, limit ${mib(limitMb)}`,
  };
}

interface Measures {
  service: string;
  limitMb: number;
  baselineMb: number;
  peakMb: number;
}

/** What the samples saw of the growth; undefined when they can't account for the kill. */
function measuresOf(of: Case, service: string): Measures | undefined {
  const memory = memoryOf(of, service);
  if (memory?.baselineMb === undefined) return undefined;
  const { limitMb, peakMb, baselineMb } = memory;
  const seen = peakMb >= limitMb * seenShare && peakMb - baselineMb >= limitMb * grownShare;
  return seen ? { service, limitMb, peakMb, baselineMb } : undefined;
}

interface Kept {
  line: LogLine;
  users: number;
  mb: number;
}

/** The most that each of the service's processes said it keeps for its users, until about that moment. */
function mostKept(of: Case, service: string, at: string | undefined): Kept[] {
  const byProcess = new Map<unknown, Kept>();
  for (const line of linesOf(of, service)) {
    const said = parseJson(line.text) as { users?: unknown; keptMb?: unknown; worker?: unknown } | undefined;
    if (typeof said?.users !== 'number' || typeof said.keptMb !== 'number') continue;
    const afterMs = msBetween(at, line.at);
    if (afterMs === undefined || afterMs > togetherMs || said.users === 0) continue;
    const known = byProcess.get(said.worker);
    if (known === undefined || said.keptMb > known.mb) {
      byProcess.set(said.worker, { line, users: said.users, mb: said.keptMb });
    }
  }
  return [...byProcess.values()];
}

export const memoryRules: readonly Rule[] = [
  rule({
    id: 'oom-kill',
    explains: ['service ended', 'process ended', 'symptom'],
    needs:
      "the engine's or the kernel's word of an OOM kill in the container, at the time of the end that it explains",
    causeOf(effect, of) {
      if (effect.kind === 'service ended') {
        return effect.crash.kind === 'oom' ? oomFact(of, effect.crash, 'the kill was its end') : undefined;
      }
      if (effect.kind === 'symptom') {
        return effect.crash?.kind === 'oom'
          ? oomFact(of, effect.crash, 'an OOM kill, even of a child, is never a "go"')
          : undefined;
      }
      const crash = of.crashes.find(
        ({ kind, service, exitCode }) =>
          kind === 'oom' && service === effect.service && exitCode === undefined,
      );
      if (crash === undefined) return undefined;
      const apartMs = msBetween(crash.at, effect.at);
      if (apartMs === undefined || Math.abs(apartMs) > togetherMs) return undefined;
      return oomFact(of, crash, `the kill and the end are ${String(Math.abs(apartMs))} ms apart`);
    },
  }),
  rule({
    id: 'kept-per-user',
    explains: ['oom kill'],
    needs:
      'an OOM kill; log lines of the service, until about then, with `users` and `keptMb`, the most of each `worker`; what it used idle',
    recommends:
      'a limit: idle, what it keeps of each user, and a tenth more; fewer users where the host has no room for that',
    causeOf({ crash: { service, at } }, of) {
      const { baselineMb, limitMb } = memoryOf(of, service) ?? {};
      const [first, ...others] = mostKept(of, service, at);
      if (baselineMb === undefined || limitMb === undefined || first === undefined) return undefined;
      const kept = [first, ...others];
      const sumOf = (figure: (each: Kept) => number): number =>
        kept.reduce((sum, each) => sum + figure(each), 0);
      const perUserMb = sumOf(({ mb }) => mb) / sumOf(({ users }) => users);
      const needMb = baselineMb + perUserMb * of.users;
      // What fits isn't what filled it.
      if (needMb < limitMb * fillingShare) return undefined;
      const sum = `${mib(baselineMb)} idle and ${String(of.users)} users of ${mib(perUserMb)} are ${mib(needMb)}`;
      const advice =
        memoryAdvice(of, { service, needMb, because: sum }) ??
        usersAdvice(of, { limitMb, baselineMb, perUserMb });
      return {
        kind: 'root',
        says: `${service} keeps ${mib(perUserMb)} of each user: ${sum}, against a limit of ${mib(limitMb)}`,
        evidence: [
          logEvidence(first.line),
          ...others.map(({ line }) => logEvidence(line)),
          {
            kind: 'samples',
            service,
            text: `idle ${mib(baselineMb)} without page cache, limit ${mib(limitMb)}`,
          },
        ],
        link: 'its processes said so before the kill or as it came',
        ...(advice === undefined ? {} : { advice }),
      };
    },
  }),
  rule({
    id: 'grew-under-load',
    explains: ['oom kill'],
    needs: 'an OOM kill, and samples that saw the service grow from idle towards its limit',
    recommends: 'a limit with twice the room above idle: the kill cut the growth off',
    causeOf({ crash: { service } }, of) {
      const measures = measuresOf(of, service);
      if (measures === undefined) return undefined;
      const { baselineMb, limitMb, peakMb } = measures;
      const roomMb = limitMb - baselineMb;
      const advice = memoryAdvice(of, {
        service,
        needMb: baselineMb + 2 * roomMb,
        because: `it filled the ${mib(roomMb)} above its ${mib(baselineMb)} idle; the kill cut its growth off, so twice that`,
      });
      return {
        kind: 'root',
        says: `it grew from ${mib(baselineMb)} idle to ${mib(peakMb)} while ${String(of.users)} users were at work`,
        evidence: [samplesEvidence(measures)],
        link: 'the samples are from before the kill',
        ...(advice === undefined ? {} : { advice }),
      };
    },
  }),
  rule({
    id: 'unseen-growth',
    explains: ['oom kill'],
    needs: 'an OOM kill, and samples that stayed far below the limit: it was filled between two of them',
    causeOf({ crash: { service } }, of) {
      const memory = memoryOf(of, service);
      if (memory === undefined || memory.peakMb >= memory.limitMb * seenShare) return undefined;
      const text = `highest sample ${mib(memory.peakMb)} of ${mib(memory.limitMb)}, without page cache`;
      return {
        kind: 'root',
        says: 'it wanted more than its limit all at once, between two samples: how much, nobody saw',
        evidence: [{ kind: 'samples', service, text }],
        link: 'the samples are from before and after the kill',
      };
    },
  }),
];
