import type * as pulumi from '@pulumi/pulumi';
import { ServiceContainer, type EnvironmentContext } from './service-container.js';
import type { ServiceSpec } from './config.js';

/** User and database of an environment's event log. */
export const eventLog = { user: 'rehearsal', database: 'rehearsal' } as const;
export const clickhousePort = 8123;
/** The share of its container's limit that ClickHouse may plan with: beyond it lie its caches and its code. */
const usableShare = 0.8;

interface ClickHouseArgs {
  context: EnvironmentContext;
  spec: ServiceSpec;
  password: pulumi.Input<string>;
}

export class ClickHouse extends ServiceContainer {
  constructor(name: string, args: ClickHouseArgs, options: pulumi.ComponentResourceOptions) {
    super(
      name,
      {
        context: args.context,
        spec: args.spec,
        port: clickhousePort,
        user: '101:101',
        environment: {
          CLICKHOUSE_USER: eventLog.user,
          CLICKHOUSE_PASSWORD: args.password,
          CLICKHOUSE_MAX_MEMORY_MB: String(Math.floor(args.spec.memoryMb * usableShare)),
        },
        dataPath: '/var/lib/clickhouse',
      },
      options,
    );
  }
}
