import type * as pulumi from '@pulumi/pulumi';
import { database, postgresPort, type Postgres } from './postgres.js';
import { ServiceContainer, type EnvironmentContext } from './service-container.js';
import type { ServiceSpec } from './config.js';

export const pgbouncerPort = 6432;
/** PostgreSQL backends that all clients share. */
const poolSize = 20;
const maxClients = 1000;

interface PgBouncerArgs {
  context: EnvironmentContext;
  spec: ServiceSpec;
  password: pulumi.Input<string>;
  postgres: Postgres;
}

export class PgBouncer extends ServiceContainer {
  constructor(name: string, args: PgBouncerArgs, options: pulumi.ComponentResourceOptions) {
    super(
      name,
      {
        context: args.context,
        spec: args.spec,
        port: pgbouncerPort,
        user: '999:999',
        environment: {
          DATABASE_HOST: 'postgres',
          DATABASE_PORT: String(postgresPort),
          POSTGRES_USER: database.user,
          POSTGRES_PASSWORD: args.password,
          POSTGRES_DB: database.name,
          POOL_SIZE: String(poolSize),
          MAX_CLIENTS: String(maxClients),
        },
        after: [args.postgres],
      },
      options,
    );
  }
}
