import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import ssh2 from 'ssh2';
import { setUp } from '../../../engine/setup.js';
import { checkout, workFolder } from '../../../engine/state.js';
import { silentProgress } from '../../helpers/progress.js';

const program = `
import { HostKeys } from ${JSON.stringify(path.join(checkout, 'components/hosts/host-keys.js'))};
const keys = new HostKeys('keys', {});
export const { userPrivateKey, userPublicKey, hostPrivateKey, hostPublicKey } = keys;
`;

let folder: string;
let pulumi: (...args: string[]) => Promise<string>;
let first: Record<string, string>;

const outputs = async (): Promise<Record<string, string>> =>
  JSON.parse(await pulumi('stack', 'output', '--json', '--show-secrets')) as Record<string, string>;

beforeAll(async () => {
  const engine = await setUp({ progress: silentProgress, images: false });
  await mkdir(workFolder, { recursive: true });
  folder = await mkdtemp(path.join(workFolder, 'host-keys-'));
  await writeFile(path.join(folder, 'Pulumi.yaml'), 'name: host-keys\nruntime: nodejs\nmain: index.ts\n');
  await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(path.join(folder, 'index.ts'), program);
  const state = path.join(folder, 'state');
  await mkdir(state);
  const env = {
    ...engine.env,
    PULUMI_BACKEND_URL: pathToFileURL(state).href,
    PULUMI_SKIP_UPDATE_CHECK: 'true',
  };
  pulumi = async (...args) => {
    const { stdout } = await execa(engine.pulumi, [...args, '--non-interactive'], { cwd: folder, env });
    return stdout;
  };
  await pulumi('stack', 'init', path.basename(folder));
  await pulumi('up', '--yes', '--skip-preview');
  first = await outputs();
});

afterAll(async () => {
  await pulumi('destroy', '--yes', '--remove', '--skip-preview');
  await rm(folder, { recursive: true });
});

describe('the keys of a host, made by the real engine', () => {
  test('are two pairs in OpenSSH’s form', () => {
    for (const name of ['user', 'host']) {
      const key = ssh2.utils.parseKey(first[`${name}PrivateKey`] ?? '');
      if (key instanceof Error) throw key;
      expect(first[`${name}PublicKey`]).toBe(`ssh-ed25519 ${key.getPublicSSH().toString('base64')}`);
    }
    expect(first.userPublicKey).not.toBe(first.hostPublicKey);
  });

  test('are in the state encrypted', async () => {
    const state = await pulumi('stack', 'export');
    expect(state).toContain(first.hostPublicKey);
    expect(state).not.toContain('PRIVATE KEY');
  });

  test('stay when the stack comes up again', async () => {
    expect(await pulumi('up', '--yes', '--skip-preview')).toContain('2 unchanged');
    expect(await outputs()).toEqual(first);
  });
});
