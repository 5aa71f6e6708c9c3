import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { replaceFile } from '../../engine/replace-file.js';
import type { SshTarget } from '../../engine/ssh/target.js';
import type { Outputs } from '../outputs.js';
import { loginUser } from './cloud-init.js';

/** How to log in to an instance, and where the connection to it is kept. */
export interface AwsLogin {
  folder: string;
  target: SshTarget & { identityFile: string };
}

const sshPort = 22;

/** The private key is in the connection's folder, and goes with it. */
export function awsLoginOf(
  { address, hostKey }: Pick<Extract<Outputs['host'], { kind: 'aws' }>, 'address' | 'hostKey'>,
  folder: string,
): AwsLogin {
  const identityFile = path.join(folder, 'key');
  return { folder, target: { address, port: sshPort, user: loginUser, hostKey, identityFile } };
}

/** Puts the private key where ssh finds it: a connection that ended took it along. */
export async function writeAwsKey({ folder, target }: AwsLogin, privateKey: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await replaceFile(target.identityFile, privateKey, 0o600);
}
