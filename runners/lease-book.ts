import { uptime } from 'node:os';
import { removeLease, writeLease, type Lease } from './leases.js';
import { thisProcess } from './owner.js';

/** Tells others who answers for the stacks of a run. */
export interface LeaseBook {
  /** This process answers for a stack that it is about to make. */
  take(stack: string, suite: string): Promise<void>;
  /** The stack outlives this process. @returns until when: ISO 8601, UTC. */
  keep(stack: string): Promise<string>;
  /** The stack is gone. */
  giveBack(stack: string): Promise<void>;
}

interface RunLease extends Pick<Lease, 'runId' | 'memoryMb' | 'dockerHost'> {
  /** From the moment a lease is taken. */
  ttlMinutes: number;
  /** Of the Pulumi CLI: it says where the state is and what locks it. */
  env: NodeJS.ProcessEnv;
}

export function leaseBook({ ttlMinutes, env, ...run }: RunLease): LeaseBook {
  const backend = env['PULUMI_BACKEND_URL'] ?? '';
  const taken = new Map<string, Lease>();
  return {
    async take(stack, suite) {
      const now = Date.now();
      const lease = {
        ...run,
        stack,
        suite,
        backend,
        passphraseFile: env['PULUMI_CONFIG_PASSPHRASE_FILE'] ?? null,
        owner: thisProcess(),
        standing: false,
        madeAt: new Date(now).toISOString(),
        madeAtUptimeS: uptime(),
        expiresAt: new Date(now + ttlMinutes * 60_000).toISOString(),
      };
      await writeLease(lease);
      taken.set(stack, lease);
    },
    async keep(stack) {
      const lease = taken.get(stack);
      if (lease === undefined) throw new Error(`no lease was taken for ${stack}`);
      await writeLease({ ...lease, standing: true });
      return lease.expiresAt;
    },
    async giveBack(stack) {
      await removeLease({ stack, backend });
      taken.delete(stack);
    },
  };
}
