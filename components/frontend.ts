import type * as pulumi from '@pulumi/pulumi';
import { authPort } from './auth.js';
import { backendPort } from './backend.js';
import { ServiceContainer, type EnvironmentContext } from './service-container.js';
import type { ServiceSpec } from './config.js';

const frontendPort = 8083;

interface FrontendArgs {
  context: EnvironmentContext;
  spec: ServiceSpec;
}

/** Waits for nobody: nginx finds auth and backend by name, at each request. */
export class Frontend extends ServiceContainer {
  constructor(name: string, args: FrontendArgs, options: pulumi.ComponentResourceOptions) {
    super(
      name,
      {
        context: args.context,
        spec: args.spec,
        port: frontendPort,
        user: '101:101',
        environment: { AUTH_HOST: `auth:${authPort}`, BACKEND_HOST: `backend:${backendPort}` },
        // nginx writes its configuration, its pid and its buffers there.
        tmpfs: { '/tmp': 'uid=101,gid=101,mode=0700,size=16m' },
        readiness: { kind: 'http', internalPort: frontendPort, path: '/health' },
      },
      options,
    );
  }
}
