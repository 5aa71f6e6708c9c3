import type * as pulumi from '@pulumi/pulumi';
import { ServiceContainer, type EnvironmentContext } from './service-container.js';
import type { ServiceSpec } from './config.js';

/** User and name of the one database of an environment. */
export const database = { user: 'rehearsal', name: 'rehearsal' } as const;
export const postgresPort = 5432;
const maxConnections = 200;

interface PostgresArgs {
  context: EnvironmentContext;
  spec: ServiceSpec;
  sharedBuffersMb: number;
  password: pulumi.Input<string>;
}

export class Postgres extends ServiceContainer {
  constructor(name: string, args: PostgresArgs, options: pulumi.ComponentResourceOptions) {
    super(
      name,
      {
        context: args.context,
        spec: args.spec,
        port: postgresPort,
        user: '70:70',
        environment: {
          POSTGRES_USER: database.user,
          POSTGRES_PASSWORD: args.password,
          POSTGRES_DB: database.name,
        },
        command: [
          'postgres',
          '-c',
          `shared_buffers=${args.sharedBuffersMb}MB`,
          '-c',
          `max_connections=${maxConnections}`,
        ],
        dataPath: '/var/lib/postgresql/data',
        // Its socket and lock file; the data is on the volume.
        tmpfs: { '/run/postgresql': 'uid=70,gid=70,mode=0775,size=1m' },
      },
      options,
    );
  }
}
