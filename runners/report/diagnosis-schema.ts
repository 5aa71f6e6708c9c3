import * as z from 'zod';

/** Where a fact can be read again. */
const evidenceSchema = z.strictObject({
  kind: z.enum(['outcome', 'test', 'event', 'log', 'samples', 'settings']),
  service: z.string().optional(),
  at: z.iso.datetime().optional(),
  /** The line, message or figures themselves. */
  text: z.string(),
});
export type Evidence = z.infer<typeof evidenceSchema>;

/** One "because": each fact is the cause of the one before it. */
const causeSchema = z.strictObject({
  /** Of `runners/diagnosis/rules.ts`; the first fact of a chain, which is to be explained, has `symptom`. */
  rule: z.string(),
  says: z.string(),
  evidence: z.array(evidenceSchema).min(1),
  /** What connects it with the fact before: the order of time, or who depends on whom. Empty in the first. */
  link: z.string(),
});

export const changeSchema = z.discriminatedUnion('kind', [
  /** A key of the stack's settings file, below the namespace; `from` is what the run had. */
  z.strictObject({
    kind: z.literal('setting'),
    path: z.array(z.string()).min(1),
    from: z.union([z.number(), z.string()]).optional(),
    to: z.union([z.number(), z.string()]),
  }),
  /** An option of the command line, for people to use. */
  z.strictObject({ kind: z.literal('option'), option: z.string(), from: z.number(), to: z.number() }),
]);
export type Change = z.infer<typeof changeSchema>;

const recommendationSchema = z.strictObject({
  changes: z.array(changeSchema).min(1),
  /** How the numbers follow from the evidence. */
  reason: z.string(),
});
export type Recommendation = z.infer<typeof recommendationSchema>;

/** Why one suite was not good for a "go". */
export const diagnosisSchema = z.strictObject({
  suite: z.string(),
  chain: z.array(causeSchema).min(1),
  conclusion: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('explained'), recommendation: recommendationSchema.optional() }),
    /** No rule explains the chain's last fact. */
    z.strictObject({ kind: z.literal('unknown'), evidence: z.array(evidenceSchema) }),
  ]),
});
export type Diagnosis = z.infer<typeof diagnosisSchema>;
export type Cause = Diagnosis['chain'][number];
