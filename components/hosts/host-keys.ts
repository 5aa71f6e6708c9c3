import * as pulumi from '@pulumi/pulumi';
import ssh2 from 'ssh2';

/** Made on a stack's first `up`; the private ones are secret. Each in OpenSSH's own form, ed25519. */
interface Values {
  /** Opens the host. */
  userPrivateKey: string;
  userPublicKey: string;
  /** What the host proves by that it is ours: known before it exists, so that nobody has to trust its first answer. */
  hostPrivateKey: string;
  hostPublicKey: string;
}

const provider: pulumi.dynamic.ResourceProvider<object, Values> = {
  create() {
    // The engine runs a serialised copy of this function, in a process of its own.
    const user = ssh2.utils.generateKeyPairSync('ed25519');
    const host = ssh2.utils.generateKeyPairSync('ed25519');
    return Promise.resolve({
      id: crypto.randomUUID(),
      outs: {
        userPrivateKey: user.private,
        userPublicKey: user.public.trim(),
        hostPrivateKey: host.private,
        hostPublicKey: host.public.trim(),
      },
    });
  },
  // Another key would be another host.
  diff: () => Promise.resolve({ changes: false }),
};

/** The two key pairs of a host that a stack makes for itself. */
export class HostKeys extends pulumi.dynamic.Resource {
  declare readonly userPrivateKey: pulumi.Output<string>;
  declare readonly userPublicKey: pulumi.Output<string>;
  declare readonly hostPrivateKey: pulumi.Output<string>;
  declare readonly hostPublicKey: pulumi.Output<string>;

  constructor(name: string, options: pulumi.CustomResourceOptions) {
    const secrets = ['userPrivateKey', 'hostPrivateKey'];
    const unknown = Object.fromEntries(
      [...secrets, 'userPublicKey', 'hostPublicKey'].map((key) => [key, undefined]),
    );
    super(provider, name, unknown, { ...options, additionalSecretOutputs: secrets });
  }
}
