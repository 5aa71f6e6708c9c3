import { ConfigError } from '../components/config.js';
import type { ContainerEngine } from './docker.js';
import { backendOf, leaseFromNow } from './lease-book.js';
import { leasesFolder, readLeases, underLease, writeLease, type Lease, type LeaseKey } from './leases.js';
import type { StandingStacks } from './stack.js';
import type { StackLabels } from './stack-state.js';

/** What `up` is to do for a stack. */
export interface TenureRequest {
  stack: string;
  /** Of an environment that is yet to be made. */
  ttlMinutes: number;
  /** How long it is to live from now on, as somebody said who wants that. */
  chosenTtlMinutes: number | undefined;
  /** Σ(limits) of the environment that the settings ask for. */
  memoryMb: number;
  dockerHost: string;
  /** Of AWS, where its host is made. */
  region: string | undefined;
  /** Of the Pulumi CLI. */
  env: NodeJS.ProcessEnv;
  /** Why nothing can be brought up, if so. What is there can be prolonged all the same. */
  obstacle: Error | undefined;
}

/** Until when a stack may live, and who answers for it. */
export interface Tenure {
  lease: Lease;
  /** There was a lease, or there are containers, before. */
  isThere: boolean;
  /** A run made it and kept it: it has the settings of the run, so that nothing here can bring it up to date. */
  isOfRun: boolean;
}

interface Dependencies {
  stacks: Pick<StandingStacks, 'names' | 'labelsOf' | 'extensionOf' | 'extend'>;
  engine: Pick<ContainerEngine, 'limitsByStack'>;
  /** Of the leases. */
  folder?: string;
}

/**
 * Finds out until when a stack may live, prolongs it when somebody wants that, and takes its lease over. The lease of
 * a stack that isn't there yet is not written: that is for when there is room.
 * @throws ConfigError when there is no living on for it: then nothing has changed.
 */
export async function tenureOf(
  request: TenureRequest,
  { stacks, engine, folder = leasesFolder() }: Dependencies,
): Promise<Tenure> {
  const { stack, dockerHost, region, env, memoryMb } = request;
  const key = { stack, backend: backendOf(env) };
  await refuseNamesake(key, dockerHost, folder);
  // Meanwhile nobody collects it.
  return underLease(
    key,
    async (found) => {
      const inState = (await stacks.names()).includes(stack);
      const labels = inState ? await stacks.labelsOf(stack) : undefined;
      const extension = inState ? await stacks.extensionOf(stack) : undefined;
      const { expiresAt, isThere, isOfRun } = decide(request, { found, labels, extension });
      const runningMb = (await engine.limitsByStack()).get(stack);
      const terms = {
        ...{ stack, dockerHost, expiresAt, standing: true },
        ...(region === undefined ? {} : { region }),
        runId: labels?.run ?? found?.runId ?? stack,
        suite: labels?.suite ?? found?.suite ?? 'none',
        memoryMb: found?.memoryMb ?? runningMb ?? memoryMb,
      };
      const lease = leaseFromNow(terms, env);
      if (isThere) {
        await writeLease(lease, folder);
        const told = latest(labels?.expiresAt ?? expiresAt, extension);
        if (inState && expiresAt !== told) await stacks.extend(stack, expiresAt);
      }
      return { lease, isThere, isOfRun };
    },
    folder,
  );
}

/** Containers are told apart by their labels, and those are by name. */
async function refuseNamesake(
  { stack, backend }: LeaseKey,
  dockerHost: string,
  folder: string,
): Promise<void> {
  const { leases } = await readLeases(folder);
  const namesake = leases.find(
    (lease) => lease.stack === stack && lease.backend !== backend && lease.dockerHost === dockerHost,
  );
  if (namesake === undefined) return;
  throw refusal(
    `--stack ${stack}: the Docker Engine has a stack of this name already, with its state in another backend, ` +
      `until ${namesake.expiresAt}: choose another name`,
  );
}

/** What is known of a stack. */
interface Known {
  found: Lease | undefined;
  labels: StackLabels | undefined;
  extension: string | undefined;
}

function decide(
  { stack, ttlMinutes, chosenTtlMinutes, obstacle }: TenureRequest,
  { found, labels, extension }: Known,
): { expiresAt: string } & Pick<Tenure, 'isThere' | 'isOfRun'> {
  const nowMs = Date.now();
  const inMinutes = (minutes: number): string => new Date(nowMs + minutes * 60_000).toISOString();
  const isOfRun = (labels?.run ?? found?.runId ?? stack) !== stack;
  if (found?.standing === false) {
    throw refusal(`--stack ${stack}: its run is still at work on it, or has ended without keeping it`);
  }
  if (isOfRun && chosenTtlMinutes === undefined) {
    throw refusal(
      `--stack ${stack}: a run made it, so that it can't be brought up to date: ` +
        'prolong it with --ttl, or choose another name',
    );
  }
  if (!isOfRun && obstacle !== undefined) throw obstacle;
  const first = labels?.expiresAt ?? found?.expiresAt;
  if (first === undefined) return { expiresAt: inMinutes(ttlMinutes), isThere: false, isOfRun };
  const wanted = chosenTtlMinutes === undefined ? undefined : inMinutes(chosenTtlMinutes);
  const expiresAt = latest(first, extension, found?.expiresAt, wanted);
  if (Date.parse(expiresAt) > nowMs) return { expiresAt, isThere: true, isOfRun };
  throw refusal(
    `--stack ${stack}: it was to live until ${expiresAt}, so that anybody may collect it: prolong it with --ttl`,
  );
}

const refusal = (problem: string): ConfigError => new ConfigError([problem], 'the command line');

/** A time to live only ever gets longer: `down` ends it early. */
export function latest(first: string, ...others: (string | undefined)[]): string {
  return others.reduce<string>(
    (last, other) => (other !== undefined && Date.parse(other) > Date.parse(last) ? other : last),
    first,
  );
}
