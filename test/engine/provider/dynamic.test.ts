import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import grpc from '@grpc/grpc-js';
import { ResourceProviderClient } from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import pb from '@pulumi/pulumi/proto/provider_pb.js';
import { dynamicService } from '../../../engine/provider/dynamic.js';
import { struct, values } from '../../../engine/provider/protocol.js';
import { serve, type Served } from '../../../engine/provider/serve.js';
import { unknownValue, type Values } from '../../../engine/provider/values.js';
import { checkout } from '../../../engine/state.js';
import { hostKeysProvider } from '../../../components/hosts/host-keys.js';
import { stackValuesProvider } from '../../../components/stack-values.js';

/** The SDK's own provider, whose answers are the measure, and ours. */
let theirs: { process: ChildProcess; client: ResourceProviderClient };
let ours: { served: Served; client: ResourceProviderClient };

const clientAt = (port: number | string): ResourceProviderClient =>
  new ResourceProviderClient(`127.0.0.1:${String(port)}`, grpc.credentials.createInsecure());

beforeAll(async () => {
  const served = await serve(() => dynamicService({ folder: checkout, name: 'rehearsal' }));
  ours = { served, client: clientAt(served.port) };
  const require = createRequire(import.meta.url);
  const process = spawn('node', [require.resolve('@pulumi/pulumi/cmd/dynamic-provider'), '127.0.0.1:1'], {
    cwd: checkout,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...globalThis.process.env, NODE_PATH: `${checkout}/node_modules`, NODE_OPTIONS: '' },
  });
  const [port] = (await once(createInterface(process.stdout), 'line')) as [string];
  theirs = { process, client: clientAt(port) };
});

afterAll(async () => {
  ours.client.close();
  theirs.client.close();
  theirs.process.kill();
  await ours.served.end();
});

interface Message {
  toObject: () => object;
}

type Ask = (client: ResourceProviderClient, callback: grpc.requestCallback<Message>) => unknown;

const answerOf = (client: ResourceProviderClient, ask: Ask): Promise<Message | { error: string }> =>
  new Promise((resolve) => {
    ask(client, (error, response) => {
      if (response !== undefined) resolve(response);
      else resolve({ error: error?.details ?? '' });
    });
  });

/** Asks both, and has them agree. @returns our answer. */
async function agreed<Response extends Message>(ask: Ask): Promise<Response> {
  const [own, sdk] = await Promise.all([answerOf(ours.client, ask), answerOf(theirs.client, ask)]);
  const plain = (answer: Message | { error: string }) => ('error' in answer ? answer : answer.toObject());
  expect(plain(own)).toEqual(plain(sdk));
  return own as Response;
}

/** Each method that a provider can have, none of which leaves anything to chance. */
const whole = `exports.handler = () => ({
  check: async (olds, news) => ({
    inputs: { ...news, size: news.size ?? olds.size ?? 1 },
    failures: news.size < 0 ? [{ property: 'size', reason: 'is below zero' }] : [],
  }),
  diff: async (id, olds, news) =>
    ({ changes: olds.size !== news.size, replaces: olds.kind === news.kind ? [] : ['kind'], deleteBeforeReplace: true }),
  create: async (inputs) => {
    if (inputs.size === 13) throw new Error('thirteen');
    return { id: 'made', outs: { ...inputs, nested: { list: [1, 'two', null, true] } } };
  },
  update: async (id, olds, news) => ({ outs: { ...news, before: olds.size, id } }),
  read: async (id, props) => ({ id, props: { ...props, seen: true }, inputs: { size: props.size } }),
  delete: async (id, props) => {
    if (props.size === 13) throw new Error('stays');
  },
});`;
/** What a provider has to have. */
const least = "exports.handler = () => ({ create: async () => ({ id: 'made' }) });";
const silent =
  "exports.handler = () => ({ create: async () => ({ id: 'made' }), update: async () => undefined, diff: async () => ({}) });";

const withCode = (code: string, properties: Values) => struct({ ...properties, __provider: code });
const check = (code: string, olds: Values, news: Values) =>
  agreed<pb.CheckResponse>((client, callback) =>
    client.check(new pb.CheckRequest().setOlds(withCode(code, olds)).setNews(withCode(code, news)), callback),
  );
const create = (code: string, inputs: Values) =>
  agreed<pb.CreateResponse>((client, callback) =>
    client.create(new pb.CreateRequest().setProperties(withCode(code, inputs)), callback),
  );

describe.each([
  ['has every method', whole],
  ['has what it must', least],
  ['has little to say', silent],
])("a dynamic provider that %s answers as by the SDK's own process", (_, code) => {
  test.each([{ size: 3 }, { size: -1 }, { kind: 'x' }, {}])('check of %j', async (news) => {
    await check(code, { size: 2 }, news);
  });

  test('check while the code itself is unknown', async () => {
    await agreed((client, callback) =>
      client.check(
        new pb.CheckRequest()
          .setOlds(withCode(code, { size: 2 }))
          .setNews(withCode(unknownValue, { size: unknownValue })),
        callback,
      ),
    );
  });

  test.each([{ size: 2 }, { size: 3 }, { size: 2, kind: 'x' }])('diff with %j', async (news) => {
    const request = new pb.DiffRequest().setId('made');
    request.setOlds(withCode(code, { size: 2 })).setNews(withCode(code, news));
    await agreed((client, callback) => client.diff(request, callback));
  });

  test.each([{ size: 3 }, { size: 13 }])('create of %j', async (inputs) => {
    await create(code, inputs);
  });

  test('update', async () => {
    const request = new pb.UpdateRequest().setId('made');
    request.setOlds(withCode(code, { size: 2 })).setNews(withCode(code, { size: 3 }));
    await agreed((client, callback) => client.update(request, callback));
  });

  test('read', async () => {
    const request = new pb.ReadRequest().setId('made').setProperties(withCode(code, { size: 2 }));
    await agreed((client, callback) => client.read(request, callback));
  });

  test.each([{ size: 2 }, { size: 13 }])('delete of %j', async (state) => {
    const request = new pb.DeleteRequest().setId('made').setProperties(withCode(code, state));
    await agreed((client, callback) => client.delete(request, callback));
  });
});

test('a provider is told its settings before its first use, secret ones too', async () => {
  const settingNames = (profile: string) => `let name; exports.handler = () => ({
    configure: async ({ config }) => { name = config.require('${profile}') + config.get('other:key') + config.get('x:none'); },
    create: async () => ({ id: name }),
  });`;
  const [whole, ofTheProject] = [settingNames('rehearsal:profile'), settingNames('profile')];
  // As Pulumi marks a secret.
  const secret = { '4dabf18193072939515e22adb298388d': '1b47061264138c4ac30d75fd1eb44270', value: 'x' };
  const settings = struct({ 'rehearsal:profile': 'small', 'other:key': secret, __provider: whole });
  for (const { client } of [ours, theirs])
    await answerOf(client, (asked, callback) =>
      asked.configure(new pb.ConfigureRequest().setArgs(settings), callback),
    );
  expect((await create(whole, {})).getId()).toBe('smallxundefined');
  // Theirs takes the project's name from the program that starts it.
  const made = await answerOf(ours.client, (client, callback) =>
    client.create(new pb.CreateRequest().setProperties(withCode(ofTheProject, {})), callback),
  );
  expect((made as pb.CreateResponse).getId()).toBe('smallxundefined');
});

test('code that is none is told', async () => {
  const made = await answerOf(ours.client, (client, callback) =>
    client.create(new pb.CreateRequest().setProperties(withCode('exports.handel = 1;', {})), callback),
  );
  expect(made).toEqual({ error: 'the code of a dynamic provider has no exports.handler' });
});

test.each([
  ['stack values', stackValuesProvider, ['postgresPassword', 'redisPassword', 'tokenSecret', 'expiresAt']],
  ["a host's keys", hostKeysProvider, ['userPrivateKey', 'userPublicKey', 'hostPrivateKey', 'hostPublicKey']],
])('%s are made', async (_, code, keys) => {
  const made = await answerOf(ours.client, (client, callback) =>
    client.create(new pb.CreateRequest().setProperties(withCode(code, { ttlMinutes: 5 })), callback),
  );
  const outs = values((made as pb.CreateResponse).getProperties());
  for (const key of keys) expect(outs[key]).toMatch(/.{10}/);
  expect(outs['__provider']).toBe(code);
});
