import type * as pulumi from '@pulumi/pulumi';
import { ServiceContainer, type EnvironmentContext } from './service-container.js';
import type { ServiceSpec } from './config.js';

export const redisPort = 6379;

interface RedisArgs {
  context: EnvironmentContext;
  spec: ServiceSpec;
  maxmemoryMb: number;
  password: pulumi.Input<string>;
}

export class Redis extends ServiceContainer {
  constructor(name: string, args: RedisArgs, options: pulumi.ComponentResourceOptions) {
    super(
      name,
      {
        context: args.context,
        spec: args.spec,
        port: redisPort,
        user: '999:999',
        environment: {
          REDIS_PASSWORD: args.password,
          REDIS_MAXMEMORY_MB: String(args.maxmemoryMb),
        },
        dataPath: '/data',
      },
      options,
    );
  }
}
