import * as pulumi from '@pulumi/pulumi';

/** What is made on a stack's first `up` and stays as it is until the stack is destroyed. */
interface Values {
  postgresPassword: string;
  redisPassword: string;
  clickhousePassword: string;
  tokenSecret: string;
  /** ISO 8601, UTC, by the clock of the machine that ran the first `up`. */
  expiresAt: string;
}

interface Inputs {
  ttlMinutes: number;
}

const provider: pulumi.dynamic.ResourceProvider<Inputs, Values> = {
  create({ ttlMinutes }) {
    // The engine runs a serialised copy of this function, in a process of its own: globals only.
    const password = (): string =>
      Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('base64url');
    return Promise.resolve({
      id: crypto.randomUUID(),
      outs: {
        postgresPassword: password(),
        redisPassword: password(),
        clickhousePassword: password(),
        tokenSecret: password(),
        expiresAt: new Date(Date.now() + ttlMinutes * 60_000).toISOString(),
      },
    });
  },
  // Labels and environments carry these values and force replacement: a new value would replace everything.
  diff: () => Promise.resolve({ changes: false }),
};

/**
 * Passwords and the expiry of a stack. `@pulumi/random` would do for the passwords, but every further
 * provider is a further download.
 */
export class StackValues extends pulumi.dynamic.Resource {
  declare readonly postgresPassword: pulumi.Output<string>;
  declare readonly redisPassword: pulumi.Output<string>;
  declare readonly clickhousePassword: pulumi.Output<string>;
  declare readonly tokenSecret: pulumi.Output<string>;
  declare readonly expiresAt: pulumi.Output<string>;

  constructor(name: string, args: Inputs, options: pulumi.CustomResourceOptions) {
    const secrets = ['postgresPassword', 'redisPassword', 'clickhousePassword', 'tokenSecret'];
    const unknown = Object.fromEntries([...secrets, 'expiresAt'].map((key) => [key, undefined]));
    super(provider, name, { ...unknown, ...args }, { ...options, additionalSecretOutputs: secrets });
  }
}
