import path from 'node:path';
import { execa } from 'execa';
import { parse } from 'yaml';
import * as z from 'zod';
import { loginUser, readyFile } from '../../../components/hosts/cloud-init.js';
import { startNamespaceHost, type NamespaceHost } from '../namespace-host.js';
import { startEc2, type Ec2Options, type Ec2Resource } from './ec2.js';
import { installAwsPlugin } from './plugin.js';

interface CloudOptions extends Pick<Ec2Options, 'refuse' | 'withoutType'> {
  /** Why cloud-init fails on each machine. */
  firstBootError?: string;
}

export type TestCloud = Awaited<ReturnType<typeof startCloud>>;

/** Of the user data: the host key that the instance is to show. */
const userDataSchema = z.object({ ssh_keys: z.object({ ed25519_private: z.string() }) });

/**
 * Amazon as far as a stack and the runner see it: EC2's API, Pulumi's provider for it, and machines that boot when an
 * instance is asked for and end with it. Whoever has `env` in his environment lives in it.
 * @param options what is wrong with it.
 */
export async function startCloud({ firstBootError, ...options }: CloudOptions = {}) {
  const hosts = new Map<string, NamespaceHost>();
  const publicKeyOf = (name: string): string => {
    const found = ec2
      .remaining()
      .find(({ kind, parameters }) => kind === 'key-pair' && parameters['KeyName'] === name);
    return decoded(found?.parameters['PublicKeyMaterial']);
  };
  const ec2 = await startEc2({
    ...options,
    async boot({ id, parameters }) {
      const { ssh_keys: keys } = userDataSchema.parse(parse(decoded(parameters['UserData'])));
      const host = await startNamespaceHost({
        hostPrivateKey: keys.ed25519_private,
        authorizedKey: publicKeyOf(parameters['KeyName'] ?? ''),
      });
      hosts.set(id, host);
      await firstBoot(host, firstBootError);
      return host.address;
    },
    async halt({ id }) {
      await hosts.get(id)?.dismiss();
      hosts.delete(id);
    },
  });
  const plugin = await installAwsPlugin();
  return {
    ec2,
    env: {
      ...ec2.env,
      PATH: [plugin.folder, process.env['PATH']].join(path.delimiter),
    },
    /** The machine of the one instance that there is. */
    host(): NamespaceHost {
      const [host] = hosts.values();
      if (host === undefined || hosts.size > 1) throw new Error(`there are ${String(hosts.size)} instances`);
      return host;
    },
    /** Ends whatever is still there. @returns what that was. */
    async stop(): Promise<Ec2Resource[]> {
      const remaining = ec2.remaining();
      for (const resource of remaining) if (resource.kind === 'instance') await ec2.end(resource);
      await ec2.stop();
      await plugin.remove();
      return remaining;
    },
  };
}

const decoded = (base64 = ''): string => Buffer.from(base64, 'base64').toString('utf8');

/** What cloud-init does on a host that has Docker already. */
async function firstBoot(host: NamespaceHost, error: string | undefined): Promise<void> {
  const result = JSON.stringify({ v1: { errors: error === undefined ? [] : [error] } });
  const script = [
    `echo '${loginUser}:x:64003:64003::/run/home:/bin/sh' >> /etc/passwd`,
    `echo '${loginUser}:*:19000::::::' >> /etc/shadow`,
    // Mounts both, so that they can't be replaced, only written to.
    `groups=$(sed 's/^docker:.*/&,${loginUser}/' /etc/group) && echo "$groups" > /etc/group`,
    `mkdir -p ${path.dirname(readyFile)} /run/cloud-init && touch ${readyFile}`,
    `echo '${result}' > /run/cloud-init/result.json`,
  ].join(' && ');
  const [command = '', ...args] = host.within();
  await execa(command, [...args, 'sh', '-c', script]);
}
