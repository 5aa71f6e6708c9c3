import type Docker from 'dockerode';
import { labelKeys } from '../components/labels.js';

const bytesPerMb = 1024 * 1024;
const notFound = 404;

/** Asks for Σ(limits) of the labelled containers that run, in MiB, by stack. */
export function limitsByStack(docker: Docker): () => Promise<ReadonlyMap<string, number>> {
  /** In MiB, by the container's id: a limit doesn't change. */
  const known = new Map<string, number>();
  const limitOf = async (id: string): Promise<number> => {
    try {
      const { HostConfig } = await docker.getContainer(id).inspect();
      return (HostConfig.Memory ?? 0) / bytesPerMb;
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode === notFound) return 0;
      throw error;
    }
  };
  return async () => {
    const sums = new Map<string, number>();
    for (const { Id, Labels } of await docker.listContainers({ filters: { label: [labelKeys.stack] } })) {
      const limitMb = known.get(Id) ?? (await limitOf(Id));
      known.set(Id, limitMb);
      const stack = Labels[labelKeys.stack] ?? '';
      sums.set(stack, (sums.get(stack) ?? 0) + limitMb);
    }
    return sums;
  };
}
