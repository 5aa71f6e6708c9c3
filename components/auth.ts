import type * as pulumi from '@pulumi/pulumi';
import { ServiceContainer, type EnvironmentContext } from './service-container.js';
import type { ServiceSpec } from './config.js';

export const authPort = 8081;

interface AuthArgs {
  context: EnvironmentContext;
  spec: ServiceSpec;
  databaseUrl: pulumi.Input<string>;
  redisUrl: pulumi.Input<string>;
  tokenSecret: pulumi.Input<string>;
  after: ServiceContainer[];
}

export class Auth extends ServiceContainer {
  constructor(name: string, args: AuthArgs, options: pulumi.ComponentResourceOptions) {
    super(
      name,
      {
        context: args.context,
        spec: args.spec,
        port: authPort,
        user: '1000:1000',
        environment: {
          PORT: String(authPort),
          DATABASE_URL: args.databaseUrl,
          REDIS_URL: args.redisUrl,
          TOKEN_SECRET: args.tokenSecret,
        },
        readiness: { kind: 'http', internalPort: authPort, path: '/health' },
        after: args.after,
      },
      options,
    );
  }
}
