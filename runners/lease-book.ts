import { uptime } from 'node:os';
import { removeLease, writeLease, type Lease } from './leases.js';
import { thisProcess } from './owner.js';

/** Tells others who answers for the stacks of a run. */
export interface LeaseBook {
  /** This process answers for a stack that it is about to make. It has no memory yet. */
  take(stack: string, suite: string): Promise<void>;
  /** The stack's limits count, for others too. */
  occupy(stack: string): Promise<void>;
  /** Nothing of the stack runs any more: its limits count no longer. */
  vacate(stack: string): Promise<void>;
  /** The stack outlives this process. @returns until when: ISO 8601, UTC. */
  keep(stack: string): Promise<string>;
  /** The stack is gone. */
  giveBack(stack: string): Promise<void>;
}

interface RunLease extends Pick<Lease, 'runId' | 'memoryMb' | 'region'> {
  dockerHostOf: (stack: string) => string;
  /** From the moment a lease is taken. */
  ttlMinutes: number;
  /** Of the Pulumi CLI: it says where the state is and what locks it. */
  env: NodeJS.ProcessEnv;
}

export function leaseBook({ ttlMinutes, env, memoryMb, dockerHostOf, ...run }: RunLease): LeaseBook {
  const backend = backendOf(env);
  const taken = new Map<string, Lease>();
  const inTtl = (): string => new Date(Date.now() + ttlMinutes * 60_000).toISOString();
  const change = async (stack: string, change: Partial<Lease>): Promise<Lease> => {
    const lease = taken.get(stack);
    if (lease === undefined) throw new Error(`no lease was taken for ${stack}`);
    const changed = { ...lease, ...change };
    await writeLease(changed);
    taken.set(stack, changed);
    return changed;
  };
  return {
    async take(stack, suite) {
      const expiresAt = inTtl();
      const where = { stack, suite, dockerHost: dockerHostOf(stack) };
      const lease = leaseFromNow({ ...run, ...where, memoryMb: 0, standing: false, expiresAt }, env);
      await writeLease(lease);
      taken.set(stack, lease);
    },
    async occupy(stack) {
      // Its time begins when it comes up, as that of its containers does: until now it may have waited for long.
      await change(stack, { memoryMb, expiresAt: inTtl(), ...madeNow() });
    },
    async vacate(stack) {
      await change(stack, { memoryMb: 0 });
    },
    async keep(stack) {
      return (await change(stack, { standing: true })).expiresAt;
    },
    async giveBack(stack) {
      await removeLease({ stack, backend });
      taken.delete(stack);
    },
  };
}

/** The address of the state, as the Pulumi CLI is told it. */
export const backendOf = (env: NodeJS.ProcessEnv): string => env['PULUMI_BACKEND_URL'] ?? '';

type Terms = Pick<
  Lease,
  'region' | 'stack' | 'runId' | 'suite' | 'memoryMb' | 'dockerHost' | 'standing' | 'expiresAt'
>;

/** A lease that this process takes now. */
export function leaseFromNow(terms: Terms, env: NodeJS.ProcessEnv): Lease {
  return {
    ...terms,
    backend: backendOf(env),
    passphraseFile: env['PULUMI_CONFIG_PASSPHRASE_FILE'] ?? null,
    owner: thisProcess(),
    ...madeNow(),
  };
}

const madeNow = (): Pick<Lease, 'madeAt' | 'madeAtUptimeS'> => ({
  madeAt: new Date().toISOString(),
  madeAtUptimeS: uptime(),
});
