import { finished } from 'node:stream/promises';
import type Docker from 'dockerode';

/** Starts a command in the container, as the service's own user, and waits for its end. */
export async function runIn(container: Docker.Container, command: string[]): Promise<void> {
  const exec = await container.exec({ Cmd: command, AttachStdout: true, AttachStderr: true });
  const stream = await exec.start({});
  stream.resume();
  await finished(stream);
}

const released = '/tmp/released';

/**
 * A shell script that begins when its container is released. For OOM kills: the engine listens for them only once the
 * first process runs, and on a busy machine 2 of 100 that came at once were told by nobody.
 */
export const heldBack = (script: string): string =>
  `until [ -e ${released} ]; do sleep 0.05; done; ${script}`;

export const release = (container: Docker.Container): Promise<void> => runIn(container, ['touch', released]);
