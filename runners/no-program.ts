import grpc from '@grpc/grpc-js';
import languageRpc from '@pulumi/pulumi/proto/language_grpc_pb.js';
import languagePb from '@pulumi/pulumi/proto/language_pb.js';

type GetRequiredPackages = grpc.handleUnaryCall<
  languagePb.GetRequiredPackagesRequest,
  languagePb.GetRequiredPackagesResponse
>;

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
  const client = await new Promise<string[]>((resolve) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
      resolve(error === null ? ['--client', `127.0.0.1:${String(port)}`] : []);
    });
  });
  try {
    await destroy(client);
  } finally {
    server.forceShutdown();
  }
}
