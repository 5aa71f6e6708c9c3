import type * as pulumi from '@pulumi/pulumi';
import { ServiceContainer, type EnvironmentContext } from './service-container.js';
import type { ServiceSpec } from './config.js';

export const llmPort = 8082;

interface LlmArgs {
  context: EnvironmentContext;
  spec: ServiceSpec;
}

/** The scripted, OpenAI-compatible stand-in. */
export class Llm extends ServiceContainer {
  constructor(name: string, args: LlmArgs, options: pulumi.ComponentResourceOptions) {
    super(
      name,
      {
        context: args.context,
        spec: args.spec,
        port: llmPort,
        user: '1000:1000',
        environment: { PORT: String(llmPort) },
        readiness: { kind: 'http', internalPort: llmPort, path: '/health' },
      },
      options,
    );
  }
}
