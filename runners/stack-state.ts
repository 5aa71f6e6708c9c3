import * as z from 'zod';
import { labelKeys } from '../components/labels.js';
import { targetSchema, type SshTarget } from '../engine/ssh/target.js';
import { parseJson } from './json.js';
import { StackError } from './pulumi.js';

/** Whose a stack is: what all of its labelled resources have in common. */
export interface StackLabels {
  stack: string;
  run: string;
  suite: string;
  /** As it was set when the stack was made, which may be anything. */
  expiresAt: string;
}

/** @returns undefined when it hasn't all of this project's labels. */
export function stackLabelsOf(labels: Readonly<Record<string, string>>): StackLabels | undefined {
  const { [labelKeys.stack]: stack, [labelKeys.run]: run, [labelKeys.suite]: suite } = labels;
  const expiresAt = labels[labelKeys.expiresAt];
  if (stack === undefined || run === undefined || suite === undefined || expiresAt === undefined)
    return undefined;
  return { stack, run, suite, expiresAt };
}

/** Whether two are of one stack: others of its name were made at another time. */
export const areOfOneStack = (one: StackLabels, other: StackLabels): boolean =>
  one.stack === other.stack &&
  one.run === other.run &&
  one.suite === other.suite &&
  one.expiresAt === other.expiresAt;

/** The stack's tag that says until when it was prolonged: unlike a label, it can change while containers run. */
const extensionTag = labelKeys.expiresAt;

/** A stack that nothing was ever done with has no deployment. */
const stateSchema = z.object({
  deployment: z.object({ resources: z.array(z.unknown()).optional() }).nullable(),
});

/** Docker's resources have labels, AWS's have tags; others have either in another shape, or none. */
const labelledSchema = z.object({
  inputs: z.union([
    z
      .object({ labels: z.array(z.object({ label: z.string(), value: z.string() })) })
      .transform(({ labels }) => Object.fromEntries(labels.map(({ label, value }) => [label, value]))),
    z
      .object({ tags: z.record(z.string(), z.unknown()) })
      // The official provider puts notes of its own among them.
      .transform(({ tags }) => Object.fromEntries(Object.entries(tags).filter(isTextual))),
  ]),
});

/**
 * @param exported what `pulumi stack export` prints.
 * @throws StackError when that is no state.
 */
export function labelsInState(exported: string): StackLabels | undefined {
  for (const resource of resourcesIn(exported)) {
    const { success, data } = labelledSchema.safeParse(resource);
    const labels = success ? stackLabelsOf(data.inputs) : undefined;
    if (labels !== undefined) return labels;
  }
  return undefined;
}

const isTextual = (entry: [string, unknown]): entry is [string, string] => typeof entry[1] === 'string';

const holderSchema = z.union([
  z
    .object({ type: z.literal('docker:index/container:Container'), outputs: z.object({ name: z.string() }) })
    .transform(({ outputs }) => outputs.name),
  z.object({ type: z.literal('aws:ec2/instance:Instance'), id: z.string() }).transform(({ id }) => id),
]);

/**
 * Names of the containers, and ids of the instances, that the state knows of.
 * @param exported what `pulumi stack export` prints.
 * @throws StackError when that is no state.
 */
export const holdersInState = (exported: string): string[] =>
  resourcesIn(exported).flatMap((resource) => holderSchema.safeParse(resource).data ?? []);

/** Where a stack's containers are: in a region of AWS, if their host goes with the stack. */
export type EngineInState = { region: string } | EngineAt;

interface EngineAt {
  /** Address of the Docker Engine, as the machine reaches it that brought the stack up. */
  dockerHost: string;
  /** How to log in to its machine, where it is another one. */
  target?: SshTarget;
}

const providerSchema = z.object({
  type: z.literal('pulumi:providers:docker'),
  inputs: z.object({ host: z.string() }),
});
const awsProviderSchema = z.object({
  type: z.literal('pulumi:providers:aws'),
  inputs: z.object({ region: z.string() }),
});
const rootSchema = z.object({
  type: z.literal('pulumi:pulumi:Stack'),
  outputs: z.object({ target: targetSchema }),
});

/**
 * @param exported what `pulumi stack export` prints.
 * @throws StackError when that is no state.
 */
export function engineInState(exported: string): EngineInState | undefined {
  const resources = resourcesIn(exported);
  const [region] = resources.flatMap(
    (resource) => awsProviderSchema.safeParse(resource).data?.inputs.region ?? [],
  );
  if (region !== undefined) return { region };
  const [host] = resources.flatMap((resource) => providerSchema.safeParse(resource).data?.inputs.host ?? []);
  const [target] = resources.flatMap((resource) => rootSchema.safeParse(resource).data?.outputs.target ?? []);
  if (host === undefined) return undefined;
  return { dockerHost: host, ...(target === undefined ? {} : { target }) };
}

function resourcesIn(exported: string): unknown[] {
  const state = stateSchema.safeParse(parseJson(exported));
  if (state.success) return state.data.deployment?.resources ?? [];
  const reason = z.prettifyError(state.error).replaceAll('\n', ' ');
  throw new StackError(`what Pulumi exported isn't the state of a stack: ${reason}`);
}

const tagsSchema = z.record(z.string(), z.string());

/**
 * @param tags what `pulumi stack tag ls --json` prints.
 * @throws Error when there is an extension that is no time.
 */
export function extensionInTags(tags: string): string | undefined {
  const until = tagsSchema.parse(JSON.parse(tags))[extensionTag];
  if (until === undefined || isIsoTime(until)) return until;
  throw new Error(`its tag ${extensionTag} is ${JSON.stringify(until)}, no time`);
}

/** The arguments of the CLI that prolong a stack. */
export const extensionArguments = (name: string, until: string): string[] => [
  ...['stack', 'tag', 'set', extensionTag, until, '--stack', name],
];

/** `Date.parse` takes a lot for a time that nobody means as one. */
export const isIsoTime = (text: string): boolean => z.iso.datetime().safeParse(text).success;
