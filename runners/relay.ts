import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { pipeline } from 'node:stream';

/** An address on the loopback at which somebody can be called who isn't there yet. */
export interface Relay {
  /** `127.0.0.1:port` */
  address: string;
  /** Takes no more calls; those that are connected go on. */
  close: () => void;
}

/**
 * Takes calls at once and connects each as soon as it is known to whom; when that fails they are hung up. Who
 * listens keeps no process alive; who is connected does.
 * @param callee where whoever is called listens on the loopback, as `host:port`.
 */
export async function relayTo(callee: Promise<string>): Promise<Relay> {
  const server = createServer({ allowHalfOpen: true }, (caller) => {
    // Whoever hangs up while he waits is of no interest, nor is he later: each side learns of the other's end.
    const hangUp = (): void => void caller.on('error', () => undefined).destroy();
    caller.once('error', hangUp);
    callee.then((address) => {
      caller.off('error', hangUp);
      join(caller, address);
    }, hangUp);
  });
  // Who calls hears of it.
  callee.catch(() => undefined);
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    close: () => void server.close(),
  };
}

function join(caller: Socket, address: string): void {
  const { hostname, port } = new URL(`tcp://${address}`);
  const called = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  // Where one way fails, both sockets are destroyed.
  pipeline(caller, called, () => undefined);
  pipeline(called, caller, () => undefined);
}
