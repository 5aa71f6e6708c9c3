import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import path from 'node:path';
import { control, files } from './client.js';

const attempts = 5;
const loopback = '127.0.0.1';

/** A file per port of the host's loopback, named after it, says which port of ours leads there. */
const fileOf = (folder: string, remotePort: number): string =>
  path.join(files(folder).forwards, String(remotePort));

/**
 * Makes a port of the host's loopback reachable from here, for every process and as long as the connection lasts.
 * @returns the port of our loopback that leads there.
 * @throws Error when the connection is gone.
 */
export async function forwardPort(folder: string, remotePort: number): Promise<number> {
  const known = await readPort(fileOf(folder, remotePort));
  return known ?? forwardTo(folder, remotePort);
}

/** Nothing is to lead to these ports any more. */
export async function cancelForwards(folder: string, remotePorts: readonly number[]): Promise<void> {
  for (const remotePort of remotePorts) {
    const localPort = await readPort(fileOf(folder, remotePort));
    if (localPort === undefined) continue;
    await control(folder, 'cancel', ['-L', spec(localPort, remotePort)]);
    await rm(fileOf(folder, remotePort), { force: true });
  }
}

/** After the connection was opened anew: who has an address from before finds it again, if nobody took it. */
export async function restoreForwards(folder: string): Promise<void> {
  const names = await readdir(files(folder).forwards).catch(() => []);
  for (const remotePort of names.map(Number)) {
    const localPort = await readPort(fileOf(folder, remotePort));
    if (localPort === undefined || !(await forward(folder, localPort, remotePort))) {
      await forwardTo(folder, remotePort);
    }
  }
}

async function forwardTo(folder: string, remotePort: number): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const localPort = await freePort();
    if (!(await forward(folder, localPort, remotePort))) continue;
    await mkdir(files(folder).forwards, { recursive: true, mode: 0o700 });
    await writeFile(fileOf(folder, remotePort), String(localPort), { mode: 0o600 });
    return localPort;
  }
  throw new Error(`no port of ours can be made to lead to port ${String(remotePort)} of the host`);
}

const spec = (localPort: number, remotePort: number): string =>
  `${loopback}:${String(localPort)}:${loopback}:${String(remotePort)}`;

const forward = async (folder: string, localPort: number, remotePort: number): Promise<boolean> =>
  (await control(folder, 'forward', ['-L', spec(localPort, remotePort)])) === 0;

async function readPort(file: string): Promise<number | undefined> {
  const port = Number(await readFile(file, 'utf8').catch(() => ''));
  return Number.isInteger(port) && port > 0 ? port : undefined;
}

/** The system knows one; until we take it, somebody else may. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, loopback);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
