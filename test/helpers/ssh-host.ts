import { copyImages } from '../chaos/support/second-engine.js';
import { resolveDockerHost } from '../../engine/docker.js';
import { folderOf } from '../../engine/ssh/target.js';
import { closeTunnel, isConnected } from '../../engine/ssh/tunnel.js';
import { waitUntil } from '../../engine/wait.js';
import { imageNames, imageReference } from '../../images/manifest.js';
import { startNamespaceHost, type NamespaceHost } from './namespace-host.js';

/** A remote host with the service images, and the settings of a stack there. */
export interface SshHost extends NamespaceHost {
  /** In the form of `rehearsal:host`. */
  settings: Record<string, unknown>;
}

/** Another sshd in place of the first, once the local end of our connection has noticed that it is gone. */
export async function restartSshd(
  host: NamespaceHost,
  folder: string,
  settings?: readonly string[],
): Promise<void> {
  await host.killSshd();
  await waitUntil(
    () => isConnected(folder),
    (connected) => !connected,
    { what: 'the end of the connection', deadlineMs: 20_000, intervalMs: 20 },
  );
  await host.startSshd(settings);
}

export async function startSshHost(): Promise<SshHost> {
  const host = await startNamespaceHost();
  try {
    await copyImages(imageNames.map(imageReference), resolveDockerHost(), host.dockerHost());
  } catch (error) {
    await host.dismiss();
    throw error;
  }
  const { address, port, user, hostKey, identityFile } = host;
  const target = { address, port, user, hostKey, identityFile };
  return {
    ...host,
    settings: { kind: 'ssh', ...target },
    async dismiss() {
      await closeTunnel(folderOf(target));
      await host.dismiss();
    },
  };
}
