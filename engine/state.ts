import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const checkout = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
/** Everything that commands write into the checkout, ignored by git. */
export const workFolder = path.join(checkout, '.rehearsal');

/**
 * The variables that tell Pulumi where the state is and how its secrets are locked. What the user set wins.
 * Makes the folder and, once, a passphrase that only the user can read.
 */
export async function stateEnvironment(
  env: NodeJS.ProcessEnv = process.env,
  folder: string = workFolder,
): Promise<Record<string, string>> {
  const chosenBackend = env.PULUMI_BACKEND_URL !== undefined || env.PULUMI_ACCESS_TOKEN !== undefined;
  const state = path.join(folder, 'state');
  await mkdir(state, { recursive: true });
  const backend = chosenBackend
    ? // Logins to a backend stay in the user's own home, also while PULUMI_HOME is ours.
      {
        PULUMI_CREDENTIALS_PATH:
          env.PULUMI_CREDENTIALS_PATH ?? env.PULUMI_HOME ?? path.join(homedir(), '.pulumi'),
      }
    : { PULUMI_BACKEND_URL: pathToFileURL(state).href };
  const chosenPassphrase =
    env.PULUMI_CONFIG_PASSPHRASE !== undefined || env.PULUMI_CONFIG_PASSPHRASE_FILE !== undefined;
  if (chosenPassphrase) return backend;
  return {
    ...backend,
    PULUMI_CONFIG_PASSPHRASE_FILE: await ensurePassphrase(path.join(folder, 'passphrase')),
  };
}

async function ensurePassphrase(file: string): Promise<string> {
  const draft = `${file}.${String(process.pid)}`;
  await writeFile(draft, randomBytes(24).toString('base64url'), { mode: 0o600 });
  try {
    // Unlike a rename, a link never replaces a passphrase that another process made meanwhile.
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await chmod(file, 0o600);
  } finally {
    await rm(draft, { force: true });
  }
  return file;
}
