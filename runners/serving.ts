import grpc from '@grpc/grpc-js';
import languageRpc from '@pulumi/pulumi/proto/language_grpc_pb.js';
import languagePb from '@pulumi/pulumi/proto/language_pb.js';
import { configNamespace } from '../components/config.js';
import { listenOnLoopback } from '../engine/loopback.js';
import { hasEmbeddedPlugin } from '../engine/provider-plugin.js';
import { dockerProvider } from '../engine/provider/docker-provider.js';
import { dynamicService } from '../engine/provider/dynamic.js';
import type { ProviderService } from '../engine/provider/protocol.js';
import { serve, type Served } from '../engine/provider/serve.js';
import { providerService } from '../engine/provider/service.js';

type GetRequiredPackages = grpc.handleUnaryCall<
  languagePb.GetRequiredPackagesRequest,
  languagePb.GetRequiredPackagesResponse
>;

/** Addresses of providers that the CLI is to attach itself to instead of starting them: `<package>:<port>,…` */
const attachTo = 'PULUMI_DEBUG_PROVIDERS';

/**
 * Serves the CLI the providers that would otherwise be processes of Node's, started for each operation: that of dynamic
 * resources, and the embedded Docker provider where it is the one in use. A third of what an operation itself takes.
 * @param env the whole environment of the CLI.
 * @param operation given that environment with the way to them. When it has ended, nothing that it asked of them is at
 * work any more, also when the CLI was killed; of an engine that doesn't answer that isn't waited for longer than 5 s.
 */
export async function withProviders<T>(
  env: NodeJS.ProcessEnv,
  checkout: string,
  operation: (env: NodeJS.ProcessEnv) => Promise<T>,
): Promise<T> {
  const project = { folder: checkout, name: configNamespace };
  const providers: [name: string, create: () => ProviderService][] = [
    ['pulumi-nodejs', () => dynamicService(project)],
  ];
  if (hasEmbeddedPlugin(env['PULUMI_HOME']))
    providers.push(['docker', () => providerService(dockerProvider)]);
  const served = new Map<string, Served>();
  for (const [name, create] of providers) {
    // Of one that can't be served the CLI starts the plugin, which only takes longer.
    const one = await serve(create).catch(() => undefined);
    if (one !== undefined) served.set(name, one);
  }
  const addresses = [...served].map(([name, { port }]) => `${name}:${String(port)}`);
  try {
    return await operation({ ...env, [attachTo]: [env[attachTo], ...addresses].filter(Boolean).join(',') });
  } finally {
    await Promise.all([...served.values()].map(({ end }) => end()));
  }
}

/**
 * Serves the CLI as the language runtime of a destroy, which runs no program: all that it asks for is which providers
 * the program needs besides those in the state. The CLI's own runtime is another process, and looks through all of
 * `node_modules` for that.
 * @param destroy given the arguments that lead the CLI to it: none where it couldn't be served, which only takes longer.
 */
export async function withoutProgram(destroy: (client: string[]) => Promise<void>): Promise<void> {
  const server = new grpc.Server();
  const getRequiredPackages: GetRequiredPackages = (_call, answer) => {
    answer(null, new languagePb.GetRequiredPackagesResponse());
  };
  server.addService(languageRpc.LanguageRuntimeService, { getRequiredPackages });
  const client = await listenOnLoopback(server).then(
    (port) => ['--client', `127.0.0.1:${String(port)}`],
    () => [],
  );
  try {
    await destroy(client);
  } finally {
    server.forceShutdown();
  }
}
