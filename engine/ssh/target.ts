import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { cacheFolder } from '../cache.js';
import { replaceFile } from '../replace-file.js';

export const targetSchema = z.strictObject({
  /** Name or IP address. */
  address: z.string(),
  port: z.int(),
  user: z.string(),
  /** The only public host key that is accepted: type and base64. */
  hostKey: z.string(),
  /** Path of a private key; by default the agent's keys and the user's own are tried. */
  identityFile: z.string().optional(),
});
/** A machine, and how to log in there. Holds no secret. */
export type SshTarget = z.infer<typeof targetSchema>;

export const describeTarget = ({ address, port, user }: SshTarget): string =>
  `ssh://${user}@${address}${port === 22 ? '' : `:${String(port)}`}`;

const folderOfAll = (): string => path.join(cacheFolder(), 'hosts');

/**
 * Where all processes of this user keep the one connection to a host. Short: the sockets in it have to be.
 * @param id of the host.
 */
const tunnelFolder = (id: string): string =>
  path.join(folderOfAll(), createHash('sha256').update(id).digest('hex').slice(0, 12));

/** Two targets of one id are the same machine and the same login. */
const idOfTarget = ({ address, port, user, hostKey }: SshTarget): string =>
  `${user}@${address}:${String(port)} ${hostKey}`;

/**
 * The same of a host that is made for a stack: it is known before the host is.
 * @param backend where the stack's state is, as the Pulumi CLI is told it: another one may have a stack of the name.
 */
export const tunnelFolderOfStack = (stack: string, backend: string): string =>
  tunnelFolder(`${stack} ${backend}`);

/** Of a machine that is there before any stack is. */
export const folderOf = (target: SshTarget): string => tunnelFolder(idOfTarget(target));

/** The remote Docker Engine as it is reached from here, whether or not the connection is up. */
export const dockerHostOfTunnel = (folder: string): string => `unix://${path.join(folder, 'docker.sock')}`;

/** The folder of the connection that an address of a Docker Engine belongs to, if it is one of ours. */
export function tunnelOfDockerHost(dockerHost: string): string | undefined {
  if (!dockerHost.startsWith('unix://')) return undefined;
  const folder = path.dirname(dockerHost.slice('unix://'.length));
  const isOurs = path.dirname(folder) === folderOfAll() && dockerHostOfTunnel(folder) === dockerHost;
  return isOurs ? folder : undefined;
}

const fileOf = (folder: string): string => path.join(folder, 'target.json');

/** The target of the last connection; undefined when there was none. */
export async function readTarget(folder: string): Promise<SshTarget | undefined> {
  const text = await readFile(fileOf(folder), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : targetSchema.parse(JSON.parse(text));
}

export async function writeTarget(folder: string, target: SshTarget): Promise<void> {
  await replaceFile(fileOf(folder), JSON.stringify(target), 0o600);
}
