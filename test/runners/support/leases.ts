import type { Lease } from '../../../runners/leases.js';
import { thisProcess } from '../../../runners/owner.js';

/** A lease of a small environment on the default engine, whose owner is this process. */
export function leaseOf(stack: string, changes: Partial<Lease> = {}): Lease {
  return {
    stack,
    runId: 'tabc123xyz',
    suite: 'chat',
    memoryMb: 1712,
    dockerHost: 'unix:///var/run/docker.sock',
    backend: 'file:///state',
    passphraseFile: null,
    owner: thisProcess(),
    standing: false,
    madeAt: new Date(Date.now() - 1_000).toISOString(),
    madeAtUptimeS: 0,
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
    ...changes,
  };
}
