import type * as pulumi from '@pulumi/pulumi';
import { ServiceContainer, type EnvironmentContext } from './service-container.js';
import type { ServiceSpec } from './config.js';

export const backendPort = 8080;

interface BackendArgs {
  context: EnvironmentContext;
  spec: ServiceSpec;
  workers: number;
  databaseUrl: pulumi.Input<string>;
  redisUrl: pulumi.Input<string>;
  clickhouse: { url: string; user: string; database: string; password: pulumi.Input<string> };
  llm: { baseUrl: string; model: string; apiKey: pulumi.Input<string> };
  tokenSecret: pulumi.Input<string>;
  after: ServiceContainer[];
}

export class Backend extends ServiceContainer {
  constructor(name: string, args: BackendArgs, options: pulumi.ComponentResourceOptions) {
    super(
      name,
      {
        context: args.context,
        spec: args.spec,
        port: backendPort,
        user: '1000:1000',
        environment: {
          PORT: String(backendPort),
          WEB_CONCURRENCY: String(args.workers),
          DATABASE_URL: args.databaseUrl,
          REDIS_URL: args.redisUrl,
          CLICKHOUSE_URL: args.clickhouse.url,
          CLICKHOUSE_USER: args.clickhouse.user,
          CLICKHOUSE_PASSWORD: args.clickhouse.password,
          CLICKHOUSE_DATABASE: args.clickhouse.database,
          LLM_BASE_URL: args.llm.baseUrl,
          LLM_MODEL: args.llm.model,
          LLM_API_KEY: args.llm.apiKey,
          TOKEN_SECRET: args.tokenSecret,
        },
        // Events wait while it waits for a processor, whatever else the machine is busy with.
        cpuShares: 4096,
        readiness: { kind: 'http', internalPort: backendPort, path: '/health' },
        after: args.after,
      },
      options,
    );
  }
}
