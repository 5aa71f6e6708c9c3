import type * as pulumi from '@pulumi/pulumi';
import { CodeResource } from '../code-resource.js';

/** The code of the resource's provider. */
export const hostKeysProvider = `
const { utils } = require('ssh2');
// About one in 250 that ssh2 makes is malformed: neither OpenSSH nor ssh2 itself can read it.
const newKeyPair = () => {
  for (;;) {
    const pair = utils.generateKeyPairSync('ed25519');
    if (!(utils.parseKey(pair.private) instanceof Error)) return pair;
  }
};
exports.newKeyPair = newKeyPair;
exports.handler = () => ({
  create: async () => {
    const [user, host] = [newKeyPair(), newKeyPair()];
    return {
      id: crypto.randomUUID(),
      outs: {
        userPrivateKey: user.private,
        userPublicKey: user.public.trim(),
        hostPrivateKey: host.private,
        hostPublicKey: host.public.trim(),
      },
    };
  },
  // Another key would be another host.
  diff: async () => ({ changes: false }),
});
`;

/**
 * The two key pairs of a host that a stack makes for itself, in OpenSSH's own form, ed25519: made on its first `up`, the
 * private ones secret. The user's opens the host; by its own the host proves that it is ours, before anybody has to trust
 * its first answer.
 */
export class HostKeys extends CodeResource {
  declare readonly userPrivateKey: pulumi.Output<string>;
  declare readonly userPublicKey: pulumi.Output<string>;
  declare readonly hostPrivateKey: pulumi.Output<string>;
  declare readonly hostPublicKey: pulumi.Output<string>;

  constructor(name: string, options: pulumi.CustomResourceOptions) {
    const secret = ['userPrivateKey', 'hostPrivateKey'];
    super(hostKeysProvider, name, {}, { secret, plain: ['userPublicKey', 'hostPublicKey'] }, options);
  }
}
