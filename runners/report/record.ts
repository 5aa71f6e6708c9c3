import * as z from 'zod';
import { profileNames, serviceNames } from '../../components/services.js';
import { changeSchema, diagnosisSchema } from './diagnosis-schema.js';

/** Bumped whenever an older reader would misread a newer record. */
export const recordVersion = 2;

const serviceName = z.enum(serviceNames);
const isoDate = z.iso.datetime();
const durationMs = z.number().nonnegative();
const memoryMb = z.number().nonnegative();

export const testResultSchema = z.strictObject({
  name: z.string(),
  status: z.enum(['passed', 'failed', 'skipped']),
  durationMs,
  failure: z.string().optional(),
});
export type TestResult = z.infer<typeof testResultSchema>;

export const phases = ['create', 'up', 'prepare', 'suite'] as const;
export type Phase = (typeof phases)[number];

/**
 * How a suite ended. `failed` is the suite's own verdict about the application, `errored` says that the
 * harness couldn't give it a fair try; the two are never mixed up.
 */
const outcomeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('passed') }),
  z.strictObject({ kind: z.literal('failed'), reason: z.string() }),
  z.strictObject({ kind: z.literal('timed out'), timeoutMs: durationMs }),
  z.strictObject({ kind: z.literal('errored'), phase: z.enum(phases), message: z.string() }),
  z.strictObject({ kind: z.literal('interrupted'), phase: z.enum(phases) }),
  z.strictObject({ kind: z.literal('not run'), reason: z.string() }),
]);
export type Outcome = z.infer<typeof outcomeSchema>;

/** Something that was to be measured: either it was, as a whole, or there is a reason why not. */
const measured = <T extends z.ZodType>(value: T) =>
  z.discriminatedUnion('measured', [
    z.strictObject({ measured: z.literal(true), value }),
    z.strictObject({ measured: z.literal(false), reason: z.string() }),
  ]);
export type Measured<T> = { measured: true; value: T } | { measured: false; reason: string };

const latencySchema = z.strictObject({
  /** Events; one that several devices of a user received counts once. */
  count: z.int().positive(),
  /** Users who received any, in the test that has the fewest. */
  users: z.int().positive(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  maxMs: z.number(),
  /** The suite itself stood still while events waited for it: the machine was busy, or the suite was. */
  stalls: z
    .strictObject({
      /** Of one event's latency. */
      longestMs: z.number().positive(),
      /** The 99th percentile if nothing had waited for that. */
      p99WithoutMs: z.number(),
    })
    .optional(),
});
export type Latency = z.infer<typeof latencySchema>;

const memorySchema = z.strictObject({
  sampleCount: z.int().positive(),
  /** Highest sum over all services of what they used at the same time. */
  peakMb: memoryMb,
  /** Times without samples, in words: a peak may have been missed there. */
  gaps: z.array(z.string()),
  services: z.partialRecord(
    serviceName,
    z.strictObject({
      limitMb: memoryMb,
      /** Idle, before the suite's load; absent when nobody looked in time. */
      baselineMb: memoryMb.optional(),
      /** Highest sample, without inactive page cache. */
      peakMb: memoryMb,
      /** The kernel's own peak, page cache included, where it tells. */
      kernelPeakMb: memoryMb.optional(),
      /** Processes in it that the kernel killed for want of memory, as far as it was asked before the container ended. */
      oomKills: z.int().nonnegative().optional(),
      /** When that was last asked. */
      countedAt: isoDate.optional(),
    }),
  ),
  /** Idle sum of all services, before the suite's load. */
  baselineMb: memoryMb.optional(),
  /** The whole host meanwhile; absent when the engine's host isn't this machine. */
  host: z
    .strictObject({
      totalMb: memoryMb,
      leastAvailableMb: memoryMb,
      /** Processes that the kernel killed for want of memory anywhere on it, the environment's own included. */
      oomKills: z.int().nonnegative(),
    })
    .optional(),
});
export type Memory = z.infer<typeof memorySchema>;

/** What the latencies' two ends are read from: if one of these clocks is off, so are they. */
const clockSchema = z.strictObject({
  /** The engine's clock against ours, where it was furthest ahead; a slow answer makes it look behind. */
  engineAheadMs: z.number(),
  /** How far our clock was set while the suite ran, at most. */
  setByMs: z.number(),
  /**
   * A host's own clock against ours, where it isn't the same machine: the latencies are corrected by it, and may be
   * off by its uncertainty.
   */
  host: z.strictObject({ aheadMs: z.number(), uncertaintyMs: z.number().nonnegative() }).optional(),
});
export type Clock = z.infer<typeof clockSchema>;

/**
 * How a service met its end, or what it survived. Out of memory is three things: `oom`, the kernel killed in it at
 * the container's limit; `exhausted`, a process met a limit of its own; `host oom`, the whole host had none left, or a
 * group of containers on it.
 */
const crashKinds = [
  ...(['oom', 'exhausted', 'host oom'] as const),
  ...(['exit', 'killed', 'gone', 'paused', 'unhealthy', 'cut off', 'disk full'] as const),
] as const;

/** A fault of the environment: something that befell a service while a suite had it. */
const crashSchema = z.strictObject({
  service: z.string(),
  kind: z.enum(crashKinds),
  /** Absent while the service runs on. */
  exitCode: z.int().optional(),
  at: isoDate.optional(),
  /** The engine's event or state, the kernel's counter, or the line of a log, that says so. */
  evidence: z.string(),
  /** Of the service, as far as it was sampled. */
  memory: z
    .strictObject({ limitMb: memoryMb, peakMb: memoryMb, kernelPeakMb: memoryMb.optional() })
    .optional(),
});
export type Crash = z.infer<typeof crashSchema>;

/** The engine's event that ended a suite, and how long that took. */
const faultSchema = z.strictObject({
  /** By the engine's clock. */
  at: isoDate,
  service: z.string(),
  what: z.string(),
  /** From the event to the end of what it interrupted. */
  endedAfterMs: durationMs,
});
export type Fault = z.infer<typeof faultSchema>;

const lastLinesSchema = z.strictObject({ service: z.string(), lines: z.array(z.string()) });
export type LastLines = z.infer<typeof lastLinesSchema>;

const leftoverSchema = z.strictObject({
  kind: z.enum(['container', 'volume', 'network', 'instance', 'disk', 'security group', 'key pair']),
  /** What AWS has: its region, a slash and its id. */
  name: z.string(),
});
export type Leftover = z.infer<typeof leftoverSchema>;

/** What became of the environment. Only `destroyed` is fit for a "go". */
const destructionSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('destroyed') }),
  z.strictObject({ kind: z.literal('nothing made') }),
  /** Until when it lives by its lease; the command destroys it before. */
  z.strictObject({ kind: z.literal('kept'), command: z.string(), until: isoDate }),
  z.strictObject({ kind: z.literal('failed'), message: z.string(), command: z.string() }),
  z.strictObject({ kind: z.literal('left over'), leftovers: z.array(leftoverSchema).min(1) }),
]);
export type Destruction = z.infer<typeof destructionSchema>;

const suiteRecordSchema = z.strictObject({
  name: z.string(),
  category: z.string(),
  stack: z.string(),
  timeoutMs: durationMs,
  outcome: outcomeSchema,
  /** Its environment was there before anybody had a use for it, and another suite ran meanwhile. */
  preparedAhead: z.boolean(),
  /** Phases that didn't happen are absent; the waits are for other suites, and not in the total. */
  durations: z.strictObject({
    memoryWaitMs: durationMs.optional(),
    createMs: durationMs.optional(),
    upMs: durationMs.optional(),
    turnWaitMs: durationMs.optional(),
    suiteMs: durationMs.optional(),
    destroyMs: durationMs.optional(),
    totalMs: durationMs,
  }),
  tests: z.array(testResultSchema),
  /** The suite has to record delivery latencies, or did of its own accord. */
  measuresDelivery: z.boolean(),
  latency: measured(latencySchema),
  memory: measured(memorySchema),
  clock: measured(clockSchema),
  crashes: measured(z.array(crashSchema)),
  fault: faultSchema.optional(),
  /** Of every service's log, when the suite didn't pass or something befell a service. */
  lastLines: z.array(lastLinesSchema),
  destruction: destructionSchema,
  /** What went wrong beside the outcome: evidence or a cleanup that couldn't be had. */
  problems: z.array(z.string()),
  /** Relative to the record's own folder. */
  folder: z.string(),
});
export type SuiteRecord = z.infer<typeof suiteRecordSchema>;

const metricSchema = z.strictObject({
  name: z.string(),
  figure: z.string(),
  limit: z.string(),
  result: z.enum(['ok', 'failed', 'not proven']),
  /** Why it isn't ok; empty when it is. */
  reason: z.string(),
});
export type Metric = z.infer<typeof metricSchema>;

const verdictSchema = z.strictObject({
  decision: z.enum(['go', 'no-go']),
  metrics: z.array(metricSchema).min(1),
  /** Everything that was chosen holds, but not every suite was chosen. */
  partial: z.boolean(),
});
export type Verdict = z.infer<typeof verdictSchema>;

/** Everything that is known about a run: every report is made from this and probes nothing. */
export const runRecordSchema = z.strictObject({
  version: z.literal(recordVersion),
  runId: z.string(),
  startedAt: isoDate,
  endedAt: isoDate,
  branch: z.string(),
  owner: z.string(),
  interrupted: z.boolean(),
  users: z.int().positive(),
  /** How many suites were to run at once, and how many did. */
  jobs: z.int().positive(),
  mostAtOnce: z.int().nonnegative(),
  /** Suites of this run, in their order: each has its record. */
  chosen: z.array(z.string()).min(1),
  /** Suites that a full run has besides. */
  notChosen: z.array(z.string()),
  environment: z.strictObject({
    profile: z.enum(profileNames),
    budgetMb: memoryMb,
    /** Σ(limits). */
    limitMb: memoryMb,
    services: z.record(serviceName, memoryMb),
    /** The scripted service, or an external server's model and host. */
    llm: z.union([z.literal('stand-in'), z.templateLiteral(['external: ', z.string()])]),
  }),
  host: z.strictObject({
    /** How it is reached; absent when the engine is the one that the `docker` command talks to. */
    where: z.string().optional(),
    engineVersion: z.string(),
    operatingSystem: z.string(),
    kernel: z.string(),
    cgroupVersion: z.string(),
    cpus: z.int(),
    memoryMb,
    node: z.string(),
  }),
  /** What the instances of a run on AWS cost by their list price; absent elsewhere. */
  cost: z
    .strictObject({
      instanceType: z.string(),
      vcpus: z.int().positive(),
      memoryMb,
      volumeGb: z.int().positive(),
      region: z.string(),
      /** Then the figures are the most that it costs. */
      spot: z.boolean(),
      /** Region and date of the prices. */
      prices: z.string(),
      /** Estimated before the run. */
      atMostUsd: z.number().nonnegative(),
      /** By the time that each instance was there. */
      usd: z.number().nonnegative(),
    })
    .optional(),
  /** The runner's own process, whatever it started apart. */
  runner: z.strictObject({ peakRssMb: memoryMb }),
  suites: z.array(suiteRecordSchema).min(1),
  verdict: verdictSchema,
  /** Of each suite that was not good for a "go". */
  diagnosis: z.array(diagnosisSchema),
  /** What all of them recommend together, each key and option once. */
  recommended: z.array(changeSchema),
});
export type RunRecord = z.infer<typeof runRecordSchema>;
