import { existsSync } from 'node:fs';
import { configNamespace, type StackConfig } from '../../components/config.js';
import { targetOf } from '../../components/hosts/access.js';
import { hostSchema, type HostSettings } from '../../components/hosts/settings.js';
import type { SshTarget } from '../../engine/ssh/target.js';
import { readSettingsFile } from '../settings.js';

/** The machine that the settings choose instead of this one, if it is there before any stack is. */
export const targetOfConfig = ({ host }: Pick<StackConfig, 'host'>): SshTarget | undefined =>
  host.kind === 'ssh' ? targetOf(host) : undefined;

/** The host of a settings file. Whatever else is wrong with it, or with the host, is for the program to say. */
export async function hostOfFile(file: string): Promise<HostSettings | undefined> {
  if (!existsSync(file)) return undefined;
  const { config } = await readSettingsFile(file);
  return hostSchema.safeParse(config[`${configNamespace}:host`]).data;
}
