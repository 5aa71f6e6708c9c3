import { expect, test } from '@jest/globals';
import grpc from '@grpc/grpc-js';
import { LanguageRuntimeClient } from '@pulumi/pulumi/proto/language_grpc_pb.js';
import languagePb from '@pulumi/pulumi/proto/language_pb.js';
import { withoutProgram } from '../../runners/no-program.js';

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
