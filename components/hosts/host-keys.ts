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

/** An ed25519 key pair in the form of OpenSSH. */
export function newKeyPair(): { private: string; public: string } {
  // About one in 250 that ssh2 makes is malformed: neither OpenSSH nor ssh2 itself can read it.
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) {
      return { private: pair.private, public: pair.public.trim() };
    }
  }
}

const provider: pulumi.dynamic.ResourceProvider<object, Values> = {
  create() {
    // The engine runs a serialised copy of this function, in a process of its own.
    const user = newKeyPair();
    const host = newKeyPair();
    return Promise.resolve({
      id: crypto.randomUUID(),
      outs: {
        userPrivateKey: user.private,
        userPublicKey: user.public,
        hostPrivateKey: host.private,
        hostPublicKey: host.public,
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
