import { readdir } from 'node:fs/promises';
import { configNamespace, parseConfig } from '../components/config.js';
import { messageOf } from './errors.js';
import { readSettings } from './settings.js';

/** Where a stack may have a host that was made for it. */
export interface Regions {
  regions: string[];
  /** Settings that can't be read: what they made isn't looked for. */
  problems: string[];
}

const hostKey = `${configNamespace}:host`;

/** The regions of AWS that the settings of the checkout's stacks name. */
export async function regionsOfSettings(checkout: string): Promise<Regions> {
  const regions = new Set<string>();
  const problems: string[] = [];
  for (const file of (await readdir(checkout)).sort()) {
    const [, stack] = /^Pulumi\.(.+)\.yaml$/.exec(file) ?? [];
    if (stack === undefined) continue;
    try {
      const { config } = await readSettings({ checkout, stack, note: () => undefined });
      // Whatever else is wrong with them: they may have been right when there was a host.
      const { host } = parseConfig({ [hostKey]: config[hostKey] }, file);
      if (host.kind === 'aws') regions.add(host.region);
    } catch (error) {
      problems.push(`what ${file} may have made: ${messageOf(error)}`);
    }
  }
  return { regions: [...regions], problems };
}
