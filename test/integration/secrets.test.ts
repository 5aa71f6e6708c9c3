import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { setUp, type EngineEnvironment } from '../../engine/setup.js';
import { checkout } from '../../engine/state.js';
import { withOwnEncryption } from '../../runners/secrets.js';
import { readSettingsFile, type Settings } from '../../runners/settings.js';
import { pulumiStacks } from '../../runners/stack.js';
import { silentProgress } from '../helpers/progress.js';
import { runPulumi, secretSettings } from './support/settings.js';

/** The settings of a stack with secrets, made and read by the real Pulumi CLI. */
const marker = 'planted-marker-7c1f';
const apiKey = 'rehearsal:llmApiKey';
const nested = 'docker:registryAuth';
const passphrase = 'correct horse';

let engine: EngineEnvironment;
let folder: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  engine = await setUp({ progress: silentProgress, images: false });
}, 600_000);

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'rehearsal-secrets-test-'));
  env = {
    ...process.env,
    ...engine.env,
    PULUMI_BACKEND_URL: pathToFileURL(folder).href,
    PULUMI_CONFIG_PASSPHRASE: passphrase,
  };
  await writeFile(path.join(folder, 'Pulumi.yaml'), 'name: rehearsal\nruntime: nodejs\n');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const pulumi = (args: string[], variables: Record<string, string> = {}): Promise<string> =>
  runPulumi({ pulumi: engine.pulumi, env: { ...env, ...variables }, folder }, args);

const fileOf = (stack: string): string => path.join(folder, `Pulumi.${stack}.yaml`);

/** Settings with the secret, as it is and inside another value, beside one that is none. */
async function settingsWithSecrets(...init: string[]): Promise<Settings> {
  const secrets = { [apiKey]: marker, [`${nested}[0].password`]: marker };
  const settings = await secretSettings({ pulumi: engine.pulumi, env, folder }, secrets, init);
  return { ...settings, config: { ...settings.config, 'rehearsal:profile': 'small' } };
}

/** Writes settings as a stack's file, which Pulumi then decrypts. */
async function decrypted({ config, encryption }: Settings, variables = {}): Promise<string> {
  await writeFile(fileOf('copy'), stringify({ ...encryption, config }));
  await pulumi(['stack', 'select', 'copy', '--create'], variables);
  const values = await pulumi(['config', '--show-secrets', '--json', '--stack', 'copy'], variables);
  expect(values).toContain('small');
  return values;
}

const refusal = (settings: Settings, variables = {}): Promise<unknown> =>
  withOwnEncryption(settings, engine.pulumi, { ...env, ...variables }).then(
    () => undefined,
    (error: unknown) => error,
  );

describe('settings with secrets', () => {
  test("get a salt of their own, and each one's files are no use with the other's", async () => {
    const settings = await settingsWithSecrets();
    const own = await withOwnEncryption(settings, engine.pulumi, env);

    expect(own.encryption.encryptionsalt).toMatch(/^v1:/);
    expect(own.encryption.encryptionsalt).not.toBe(settings.encryption.encryptionsalt);
    expect(own.config['rehearsal:profile']).toBe('small');
    expect(JSON.stringify(own)).not.toContain(marker);
    expect((await decrypted(own)).split(marker)).toHaveLength(4); // Each twice in what Pulumi prints of an object.

    const mixed = { ...own, encryption: settings.encryption };
    await expect(decrypted(mixed)).rejects.toThrow('authentication failed');
    await expect(decrypted({ ...settings, encryption: own.encryption })).rejects.toThrow(
      'authentication failed',
    );
  }, 60_000);

  test('are read from a file that stays as it is, and leave nothing behind', async () => {
    const settings = await settingsWithSecrets();
    const before = await readFile(fileOf('ci'));
    const usual = process.env['TMPDIR'];
    process.env['TMPDIR'] = folder;
    try {
      const there = await readdir(folder);
      await withOwnEncryption(settings, engine.pulumi, env);
      await refusal(settings, { PULUMI_CONFIG_PASSPHRASE: 'wrong' });
      expect(await readdir(folder)).toEqual(there);
    } finally {
      if (usual === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = usual;
    }
    expect((await readFile(fileOf('ci'))).equals(before)).toBe(true);
  }, 60_000);

  test('are in no argument of the CLI', async () => {
    const settings = await settingsWithSecrets();
    const [cli, calls] = [path.join(folder, 'cli'), path.join(folder, 'calls')];
    await writeFile(cli, `#!/bin/sh\nprintf '%s ' "$@" >> '${calls}'\nexec '${engine.pulumi}' "$@"\n`);
    await chmod(cli, 0o755);
    await withOwnEncryption(settings, cli, env);
    const said = await readFile(calls, 'utf8');
    expect(said.match(/stack init/g)).toHaveLength(2);
    expect(said).not.toContain(marker);
  }, 60_000);

  test('cost no call of the CLI where there are none', async () => {
    const settings: Settings = {
      source: 'Pulumi.ci.yaml',
      config: { 'rehearsal:profile': 'small' },
      encryption: { encryptionsalt: 'v1:abc' },
    };
    expect(await withOwnEncryption(settings, '/nonexistent/pulumi', env)).toEqual({
      ...settings,
      encryption: {},
    });
  });

  test('that the passphrase does not open are named, all of them, and not shown', async () => {
    const settings = await settingsWithSecrets();
    const error = String(await refusal(settings, { PULUMI_CONFIG_PASSPHRASE: 'wrong' }));
    expect(error).toMatch(/2 problems in Pulumi\.ci\.yaml/);
    for (const key of [apiKey, nested]) expect(error).toContain(`${key} can't be decrypted: PULUMI_CONFIG_`);
    expect(error).toContain('incorrect passphrase');
    expect(error).not.toContain(marker);
  }, 60_000);

  test('that are damaged are named, and only those', async () => {
    const settings = await settingsWithSecrets();
    const { secure } = settings.config[apiKey] as { secure: string };
    settings.config[apiKey] = { secure: secure.replace(/....$/, 'AAA=') };
    const error = String(await refusal(settings));
    expect(error).toContain(`${apiKey} can't be decrypted`);
    expect(error).not.toContain(nested);
  }, 60_000);
});

describe("a provider of one's own", () => {
  let vault: Server;
  let used: string[];

  /** As much of Vault's transit engine as a key takes that "encrypts" by turning letters round. */
  beforeAll(async () => {
    const turned = (value: string): string => Buffer.from(value).reverse().toString();
    vault = createServer((request, response) => {
      void text(request).then((body) => {
        used.push(request.url ?? '');
        const { plaintext, ciphertext } = JSON.parse(body) as { plaintext?: string; ciphertext?: string };
        const data =
          plaintext === undefined
            ? { plaintext: turned((ciphertext ?? '').replace('vault:v1:', '')) }
            : { ciphertext: `vault:v1:${turned(plaintext)}` };
        response.setHeader('content-type', 'application/json').end(JSON.stringify({ data }));
      });
    });
    vault.listen(0, '127.0.0.1');
    await once(vault, 'listening');
  });

  afterAll(() => {
    vault.close();
    vault.closeAllConnections();
  });

  beforeEach(() => {
    used = [];
    const { port } = vault.address() as AddressInfo;
    const address = `http://127.0.0.1:${String(port)}`;
    Object.assign(env, { VAULT_SERVER_URL: address, VAULT_SERVER_TOKEN: 'token' });
    delete env['PULUMI_CONFIG_PASSPHRASE'];
    delete env['PULUMI_CONFIG_PASSPHRASE_FILE'];
  });

  test('makes another data key, and the throwaway stack uses it', async () => {
    const settings = await settingsWithSecrets('--secrets-provider', 'hashivault://mykey');
    const own = await withOwnEncryption(settings, engine.pulumi, env);
    expect(own.encryption.secretsprovider).toBe('hashivault://mykey');
    expect(own.encryption.encryptedkey).not.toBe(settings.encryption.encryptedkey);

    const stacks = pulumiStacks(engine.pulumi, env, checkout);
    await stacks.create({ name: 'own', folder, settings: { ...own.encryption, config: own.config } });
    expect((await readSettingsFile(fileOf('own'))).encryption).toEqual(own.encryption);
    expect(await pulumi(['config', 'get', apiKey, '--stack', 'own'])).toBe(marker);
  }, 60_000);

  test('is used although no setting is secret', async () => {
    const settings: Settings = {
      source: 'Pulumi.ci.yaml',
      config: { 'rehearsal:profile': 'small' },
      encryption: { secretsprovider: 'hashivault://mykey', encryptedkey: 'of the source' },
    };
    const own = await withOwnEncryption(settings, '/nonexistent/pulumi', env);
    expect(own.encryption).toEqual({ secretsprovider: 'hashivault://mykey' });
    const stacks = pulumiStacks(engine.pulumi, env, checkout);
    await stacks.create({ name: 'own', folder, settings: { ...own.encryption, config: own.config } });
    expect(used).toContain('/v1/transit/encrypt/mykey');
  }, 60_000);
});
