import type { Provider } from './provider.js';
import { serve } from './serve.js';
import { providerService } from './service.js';

/**
 * Makes this process a plugin: serves the provider on a free port of the loopback, and says which on its first line
 * of output, as Pulumi's engine expects of a plugin.
 */
export async function servePlugin<Client extends object>(provider: Provider<Client>): Promise<void> {
  const [, , engineAddress = ''] = process.argv;
  // The engine holds the other end of standard input: when it is gone, so is the need for this process.
  process.stdin.resume().once('end', () => process.exit(0));
  const { port } = await serve(() => providerService(provider, engineAddress));
  process.stdout.write(`${port}\n`);
}
