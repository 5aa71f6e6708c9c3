import { runOnHost } from '../../engine/ssh/command.js';
import { describeTarget } from '../../engine/ssh/target.js';
import type { Outputs } from '../outputs.js';
import { awsLoginOf, writeAwsKey } from './aws-login.js';
import { expiryFile } from './cloud-init.js';

/**
 * Lets a host that ends by itself live until then, as the stack on it does. Others have no end of their own.
 * @param folder of the connection to it.
 * @param until ISO 8601, UTC.
 * @throws Error when the host can't be told: it ends when it was to end before.
 */
export async function prolongHost(
  { host }: Pick<Outputs, 'host'>,
  folder: string,
  until: string,
): Promise<void> {
  if (host.kind !== 'aws') return;
  const login = awsLoginOf(host, folder);
  await writeAwsKey(login, host.privateKey);
  const command = `echo ${until} | sudo -n tee ${expiryFile}`;
  const { exitCode, stderr } = await runOnHost(folder, login.target, command);
  if (exitCode === 0) return;
  throw new Error(
    `${describeTarget(login.target)} could not be told that it lives until ${until}, and ends earlier: ${stderr.trim()}`,
  );
}
