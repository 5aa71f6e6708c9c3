import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { waitUntil } from '../../engine/wait.js';

const root = '/sys/fs/cgroup';

/** In each hierarchy: version 2 has one, without a folder of its own. */
async function groupsOf(parent: string): Promise<string[]> {
  const hierarchies = ['.', ...(await readdir(root))];
  return hierarchies
    .map((hierarchy) => path.join(root, hierarchy, parent))
    .filter((group) => existsSync(group));
}

/** Removes the groups of an engine that has ended. Killed processes leave theirs only after a moment. */
export async function removeCgroups(parent: string): Promise<void> {
  await waitUntil(
    async () => {
      for (const group of await groupsOf(parent))
        await execa('find', [group, '-depth', '-type', 'd', '-delete'], { reject: false });
      return groupsOf(parent);
    },
    ({ length }) => length === 0,
    { what: `the end of the cgroups of ${parent}`, deadlineMs: 20_000, intervalMs: 50 },
  );
}
