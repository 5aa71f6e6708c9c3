import grpc from '@grpc/grpc-js';

/**
 * Shows the user a warning about a resource, in the engine's own output: it keeps a plugin's standard error
 * to itself.
 * @param address Where the engine listens: the plugin's first argument.
 */
export async function warnUser(address: string, urn: string, message: string): Promise<void> {
  // Hardly any operation warns: the client is loaded when one does.
  const { default: engine } = await import('@pulumi/pulumi/proto/engine_pb.js');
  const { EngineClient } = await import('@pulumi/pulumi/proto/engine_grpc_pb.js');
  const client = new EngineClient(address, grpc.credentials.createInsecure());
  const request = new engine.LogRequest();
  request.setSeverity(engine.LogSeverity.WARNING);
  request.setMessage(message);
  request.setUrn(urn);
  try {
    await new Promise<void>((resolve, reject) => {
      client.log(request, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  } finally {
    client.close();
  }
}
