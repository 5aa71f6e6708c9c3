import { describe, expect, jest, test } from '@jest/globals';
import grpc from '@grpc/grpc-js';
import { LanguageRuntimeClient } from '@pulumi/pulumi/proto/language_grpc_pb.js';
import languagePb from '@pulumi/pulumi/proto/language_pb.js';
import pluginPb from '@pulumi/pulumi/proto/plugin_pb.js';
import { ResourceProviderClient } from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import { checkout } from '../../engine/state.js';
import { withoutProgram, withProviders } from '../../runners/serving.js';

const clientOf = (address: string): LanguageRuntimeClient =>
  new LanguageRuntimeClient(address, grpc.credentials.createInsecure());

const askForPackages = (client: LanguageRuntimeClient): Promise<unknown[]> =>
  new Promise((resolve, reject) => {
    client.getRequiredPackages(new languagePb.GetRequiredPackagesRequest(), (error, response) => {
      if (error === null) resolve(response.getPackagesList());
      else reject(error);
    });
  });

const run = (client: LanguageRuntimeClient): Promise<void> =>
  new Promise((resolve, reject) => {
    client.run(new languagePb.RunRequest(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });

test('a destroy is told that the program needs no packages, and there is no program to run', async () => {
  let told: unknown;
  await withoutProgram(async ([option, address = '']) => {
    expect(option).toBe('--client');
    const client = clientOf(address);
    told = await askForPackages(client);
    await expect(run(client)).rejects.toMatchObject({ code: grpc.status.UNIMPLEMENTED });
    client.close();
  });
  expect(told).toEqual([]);
});

test('it is there for the destroy only, also for one that fails', async () => {
  let served = '';
  const destroy = withoutProgram(([, address = '']) => {
    served = address;
    throw new Error('the engine is gone');
  });
  await expect(destroy).rejects.toThrow('the engine is gone');
  const client = clientOf(served);
  await expect(askForPackages(client)).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
  client.close();
});

describe('providers for the CLI', () => {
  const addresses = (env: NodeJS.ProcessEnv): [string, string][] =>
    (env['PULUMI_DEBUG_PROVIDERS'] ?? '').split(',').map((one) => one.split(':') as [string, string]);

  const attach = (port: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const client = new ResourceProviderClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
      client.attach(new pluginPb.PluginAttach(), (error) => {
        client.close();
        if (error === null) resolve(undefined);
        else reject(error);
      });
    });

  test.each([
    ['the embedded Docker provider', '/cache/pulumi-home-embedded-123', ['pulumi-nodejs', 'docker']],
    ['an official one', '/cache/pulumi-home-official-5.2.0', ['pulumi-nodejs']],
    ["the user's own", undefined, ['pulumi-nodejs']],
  ])('with %s', async (_, home, names) => {
    const env = { PULUMI_HOME: home, PATH: '/bin' };
    const served = await withProviders(env, checkout, async (attached) => {
      expect(attached).toMatchObject(env);
      for (const [, port] of addresses(attached)) await attach(port);
      return addresses(attached);
    });
    expect(served.map(([name]) => name)).toEqual(names);
    for (const [, port] of served)
      await expect(attach(port)).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
  });

  test('one that cannot be served is left to the CLI', async () => {
    const bind = jest.spyOn(grpc.Server.prototype, 'bindAsync');
    bind.mockImplementationOnce((_address, _credentials, callback) => {
      callback(new Error('no port is free'), 0);
    });
    const env = { PULUMI_HOME: '/cache/pulumi-home-embedded-123' };
    await withProviders(env, checkout, (attached) => {
      expect(addresses(attached).map(([name]) => name)).toEqual(['docker']);
      return Promise.resolve();
    });
    bind.mockRestore();
  });

  test("those that the user attaches to come first: Pulumi takes the first of a package's", async () => {
    await withProviders({ PULUMI_DEBUG_PROVIDERS: 'docker:7' }, checkout, (attached) => {
      expect(addresses(attached).map(([name]) => name)).toEqual(['docker', 'pulumi-nodejs']);
      return Promise.resolve();
    });
  });
});
