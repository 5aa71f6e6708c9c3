import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { stringify } from 'yaml';
import { ConfigError, configNamespace } from '../components/config.js';
import { messageOf } from './errors.js';
import { initCommand, pulumiCommand, type PulumiCommand } from './pulumi.js';
import { readSettingsFile, type Settings } from './settings.js';

/** Names of the two stacks, between which the CLI copies and so encrypts anew. */
const source = 'source';
const own = 'own';

/**
 * A stack's settings for stacks of a run: with a salt, or a data key, of their own, and the secrets encrypted
 * anew, so that the one's files are no use to who holds the other's. Only the Pulumi CLI ever sees a secret.
 * @param env the whole environment of the CLI.
 * @throws ConfigError that names every secret that can't be decrypted.
 */
export async function withOwnEncryption(
  settings: Settings,
  pulumi: string,
  env: NodeJS.ProcessEnv,
): Promise<Settings> {
  const { secretsprovider } = settings.encryption;
  const encryption = secretsprovider === undefined ? {} : { secretsprovider };
  const secrets = Object.fromEntries(
    Object.entries(settings.config).filter(([, value]) => holdsSecret(value)),
  );
  // The command that makes the stack makes it a data key; its `up` makes it a salt.
  if (Object.keys(secrets).length === 0) return { ...settings, encryption };

  // In a backend of its own: the stack whose settings they are needn't exist in the user's.
  const folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-secrets-'));
  const run = pulumiCommand(pulumi, { ...env, PULUMI_BACKEND_URL: pathToFileURL(folder).href });
  try {
    const project = { name: configNamespace, runtime: 'nodejs' };
    await writeFile(path.join(folder, 'Pulumi.yaml'), stringify(project));
    const file = { ...settings.encryption, config: secrets };
    await writeFile(path.join(folder, `Pulumi.${source}.yaml`), stringify(file));
    await reencrypt(run, folder, { ...settings, config: secrets });
    const renewed = await readSettingsFile(path.join(folder, `Pulumi.${own}.yaml`));
    return { ...settings, encryption: renewed.encryption, config: { ...settings.config, ...renewed.config } };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Whether there is a `{secure: …}` in it, however deep. */
function holdsSecret(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if ('secure' in value && typeof value.secure === 'string') return true;
  return Object.values(value).some(holdsSecret);
}

async function reencrypt(run: PulumiCommand, folder: string, settings: Settings): Promise<void> {
  const keys = Object.keys(settings.config);
  try {
    await run(initCommand(source, settings.encryption), folder);
  } catch (error) {
    throw unreadable(keys, error, settings);
  }
  try {
    await run([...initCommand(own, settings.encryption), '--copy-config-from', source], folder);
  } catch (error) {
    throw unreadable(await findUnreadable(run, folder, keys), error, settings);
  }
}

/** The CLI doesn't say which of several it couldn't decrypt. */
async function findUnreadable(
  run: PulumiCommand,
  folder: string,
  keys: readonly string[],
): Promise<string[]> {
  const unreadable: string[] = [];
  for (const key of keys) {
    await run(['config', 'get', key, '--stack', source], folder).catch(() => unreadable.push(key));
  }
  return unreadable;
}

function unreadable(keys: readonly string[], cause: unknown, { source: file, encryption }: Settings): Error {
  if (keys.length === 0) return new Error(messageOf(cause), { cause });
  const remedy =
    encryption.secretsprovider === undefined
      ? 'PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE has to give the passphrase that it was encrypted with'
      : `${encryption.secretsprovider} has to be the provider that it was encrypted with, and to answer`;
  const problems = keys.map((key) => `${key} can't be decrypted: ${remedy} (${messageOf(cause)})`);
  return Object.assign(new ConfigError(problems, file), { cause });
}
