import grpc from '@grpc/grpc-js';
import type { Provider } from './provider.js';
import { providerServer } from './server.js';

/**
 * Makes this process a plugin: serves the provider on a free port of the loopback, and says which on its first line
 * of output, as Pulumi's engine expects of a plugin.
 */
export function servePlugin<Client extends object>(provider: Provider<Client>): void {
  const [, , engineAddress = ''] = process.argv;
  const server = providerServer(provider, engineAddress);
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error;
    process.stdout.write(`${port}\n`);
  });

  // The engine holds the other end of standard input: when it is gone, so is the need for this process.
  process.stdin.resume().once('end', () => process.exit(0));
}
