import type * as pulumi from '@pulumi/pulumi';
import { CodeResource } from './code-resource.js';

interface Inputs {
  ttlMinutes: number;
}

/** The code of the resource's provider. */
export const stackValuesProvider = `
const password = () => Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('base64url');
exports.handler = () => ({
  create: async ({ ttlMinutes }) => ({
    id: crypto.randomUUID(),
    outs: {
      postgresPassword: password(),
      redisPassword: password(),
      clickhousePassword: password(),
      tokenSecret: password(),
      expiresAt: new Date(Date.now() + ttlMinutes * 60000).toISOString(),
    },
  }),
  // Labels and environments carry these values and force replacement: a new value would replace everything.
  diff: async () => ({ changes: false }),
});
`;

/**
 * Passwords and the expiry of a stack, made on its first `up` and kept until it is destroyed. `@pulumi/random` would
 * do for the passwords, but every further provider is a further download.
 */
export class StackValues extends CodeResource {
  declare readonly postgresPassword: pulumi.Output<string>;
  declare readonly redisPassword: pulumi.Output<string>;
  declare readonly clickhousePassword: pulumi.Output<string>;
  declare readonly tokenSecret: pulumi.Output<string>;
  /** ISO 8601, UTC, by the clock of the machine that ran the first `up`. */
  declare readonly expiresAt: pulumi.Output<string>;

  constructor(name: string, args: Inputs, options: pulumi.CustomResourceOptions) {
    const secret = ['postgresPassword', 'redisPassword', 'clickhousePassword', 'tokenSecret'];
    super(stackValuesProvider, name, args, { secret, plain: ['expiresAt'] }, options);
  }
}
