import { setTimeout as sleep } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import { ResourceProviderService } from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import { listenOnLoopback } from '../loopback.js';
import type { ProviderMethod, ProviderService } from './protocol.js';

const largestMessageBytes = 400 * 1024 * 1024;
/** A Docker Engine that doesn't answer keeps an operation for ever. */
const patienceMs = 5_000;

export interface Served {
  /** On the loopback. */
  port: number;
  /** Cancels what is at work and waits until it has come to its end, 5 s at most. */
  end: () => Promise<void>;
}

/**
 * Serves a provider on a free port of the loopback.
 * @param create makes one for whoever attaches himself: each provider of a stack has settings of its own.
 */
export async function serve(create: () => ProviderService): Promise<Served> {
  const first = create();
  // By connection.
  const services = new Map([['', first]]);
  let latest = first;
  const serviceOf = (method: string, connection: string): ProviderService => {
    if (method === 'attach') {
      latest = create();
      services.set(connection, latest);
    }
    // Whoever has been idle for long connects anew, without attaching himself again.
    return services.get(connection) ?? latest;
  };

  let ended = false;
  const atWork = new Set<symbol>();
  const handlers = Object.keys(first.handlers).map((method) => {
    const handle: ProviderMethod = (call, answer) => {
      if (ended) {
        answer({ code: grpc.status.CANCELLED, message: 'the operation has ended' });
        return;
      }
      const one = Symbol(method);
      const service = serviceOf(method, call.getPeer());
      atWork.add(one);
      service.handlers[method]?.(call, (...response) => {
        atWork.delete(one);
        answer(...response);
      });
    };
    return [method, handle];
  });
  const server = new grpc.Server({ 'grpc.max_receive_message_length': largestMessageBytes });
  server.addService(
    ResourceProviderService,
    Object.fromEntries(handlers) as grpc.UntypedServiceImplementation,
  );
  const port = await listenOnLoopback(server);
  return {
    port,
    async end() {
      ended = true;
      for (const { cancel } of services.values()) cancel();
      const deadlineMs = performance.now() + patienceMs;
      while (atWork.size > 0 && performance.now() < deadlineMs) await sleep(10);
      server.forceShutdown();
    },
  };
}
