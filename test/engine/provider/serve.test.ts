import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import grpc from '@grpc/grpc-js';
import pluginPb from '@pulumi/pulumi/proto/plugin_pb.js';
import { ResourceProviderClient } from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import pb from '@pulumi/pulumi/proto/provider_pb.js';
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js';
import { struct, unary, values, type ProviderService } from '../../../engine/provider/protocol.js';
import { serve, type Served } from '../../../engine/provider/serve.js';

let served: Served;
const clients: ResourceProviderClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await served.end();
});

/** A connection of its own. */
function connect() {
  const client = new ResourceProviderClient(
    `127.0.0.1:${String(served.port)}`,
    grpc.credentials.createInsecure(),
    { 'grpc.use_local_subchannel_pool': 1 },
  );
  clients.push(client);
  const answer = <T>(call: (callback: grpc.requestCallback<T>) => void): Promise<T | undefined> =>
    new Promise((resolve, reject) => {
      call((error, response) => {
        if (error === null) resolve(response);
        else reject(error);
      });
    });
  return {
    attach: () => answer((callback) => client.attach(new pluginPb.PluginAttach(), callback)),
    configure: async (host: string) => {
      const request = new pb.ConfigureRequest().setArgs(struct({ host }));
      await answer<pb.ConfigureResponse>((callback) => client.configure(request, callback));
    },
    create: async () => {
      const made = await answer<pb.CreateResponse>((callback) =>
        client.create(new pb.CreateRequest(), callback),
      );
      return made?.getId();
    },
  };
}

/** Makes things that are called after its host. */
function hostNames(): ProviderService {
  let host: unknown;
  return {
    handlers: {
      attach: unary(() => new emptyPb.Empty()),
      configure: unary((request: pb.ConfigureRequest) => {
        ({ host } = values(request.getArgs()));
        return new pb.ConfigureResponse();
      }),
      create: unary(() => new pb.CreateResponse().setId(String(host))),
    },
    cancel: () => undefined,
  };
}

test('each provider that attaches itself has settings of its own', async () => {
  served = await serve(hostNames);
  const [one, other] = [connect(), connect()];
  await one.attach();
  await other.attach();
  await one.configure('one');
  await other.configure('other');
  expect([await one.create(), await other.create()]).toEqual(['one', 'other']);
});

test('a connection that was made anew goes on where it was', async () => {
  served = await serve(hostNames);
  const before = connect();
  await before.attach();
  await before.configure('one');
  expect(await connect().create()).toBe('one');
});

test('an operation that is at work at the end is cancelled, and its end waited for', async () => {
  const work = new EventEmitter();
  const begun = once(work, 'begun');
  let tidied = false;
  served = await serve(() => ({
    handlers: {
      create: unary(async () => {
        work.emit('begun');
        await once(work, 'cancelled');
        // As it takes a moment to remove what had been made.
        await sleep(50);
        tidied = true;
        throw new Error('cancelled');
      }),
    },
    cancel: () => void work.emit('cancelled'),
  }));
  const creation = connect().create();
  creation.catch(() => undefined);
  await begun;
  await served.end();
  expect(tidied).toBe(true);
  await expect(creation).rejects.toThrow('cancelled');
});

test('what is asked for while it ends is cancelled', async () => {
  const work = new EventEmitter();
  const begun = once(work, 'begun');
  let made = 0;
  served = await serve(() => ({
    handlers: {
      attach: unary(() => new emptyPb.Empty()),
      create: unary(async () => {
        made += 1;
        work.emit('begun');
        await once(work, 'answer');
        return new pb.CreateResponse();
      }),
    },
    cancel: () => undefined,
  }));
  const [one, other] = [connect(), connect()];
  await other.attach();
  const creation = one.create();
  await begun;
  const ending = served.end();
  await expect(other.create()).rejects.toMatchObject({ code: grpc.status.CANCELLED });
  await expect(connect().attach()).rejects.toMatchObject({ code: grpc.status.CANCELLED });
  work.emit('answer');
  // The server may end before the answer has left it.
  await Promise.allSettled([creation, ending]);
  expect(made).toBe(1);
});

test('a method that there is not is unimplemented, which the engine understands', async () => {
  served = await serve(() => ({
    handlers: { create: unary(() => new pb.CreateResponse()) },
    cancel: () => undefined,
  }));
  await expect(connect().configure('one')).rejects.toMatchObject({ code: grpc.status.UNIMPLEMENTED });
});
