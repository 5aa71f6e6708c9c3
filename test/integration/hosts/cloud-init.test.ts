import { access, lstat, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { carryImages } from '../../../components/hosts/carry-images.js';
import { newKeyPair } from '../../helpers/key-pairs.js';
import { cloudInit, expiryFile, loginUser, readyFile } from '../../../components/hosts/cloud-init.js';
import { connectDocker, resolveDockerHost } from '../../../engine/docker.js';
import { imageReference } from '../../../images/manifest.js';
import { bootDebian, type DebianMachine } from '../../helpers/debian-machine.js';

const host = newKeyPair();
const user = newKeyPair();
const expiresAt = '2099-01-02T03:04:05.000Z';

let machine: DebianMachine;
let expiryAtBoot: string;
const inRoot = (name: string): string => path.join(machine.root, name);

beforeAll(async () => {
  const userData = cloudInit({ hostPrivateKey: host.private, hostPublicKey: host.public, expiresAt });
  machine = await bootDebian({ userData, publicKey: user.public });
  expiryAtBoot = await readFile(inRoot(expiryFile), 'utf8');
}, 300_000);

afterAll(() => machine.dismiss());

describe('a Debian that booted with the cloud-init document', () => {
  test('took all of it, and cloud-init met no error', async () => {
    const log = await readFile(inRoot('var/log/cloud-init-output.log'), 'utf8');
    const result = JSON.parse(await readFile(inRoot('run/cloud-init/result.json'), 'utf8')) as unknown;
    expect({ result, log }).toEqual({
      result: { v1: { datasource: expect.stringContaining('DataSourceNoCloud'), errors: [] } },
      log: expect.any(String),
    });
    await writeFile(inRoot('tmp/user-data'), await readFile(inRoot('var/lib/cloud/seed/nocloud/user-data')));
    const schema = await machine.run('cloud-init', 'schema', '--config-file', '/tmp/user-data');
    expect(schema).toContain('Valid cloud-config');
  });

  test('shows the host key that was known before, and no other', async () => {
    const keys = (await readdir(inRoot('etc/ssh'))).filter((name) => name.startsWith('ssh_host_'));
    expect(keys.sort()).toEqual(['ssh_host_ed25519_key', 'ssh_host_ed25519_key.pub']);
    const shown = await machine.run('ssh-keygen', '-y', '-f', '/etc/ssh/ssh_host_ed25519_key');
    expect(shown.trim()).toBe(host.public);
  });

  test('lets its user in by the key alone, and to the Docker Engine', async () => {
    const authorized = await readFile(inRoot(`home/${loginUser}/.ssh/authorized_keys`), 'utf8');
    expect(authorized.trim()).toBe(user.public);
    await machine.run('mkdir', '-p', '/run/sshd');
    const settings = (await machine.run('sshd', '-T')).split('\n');
    expect(settings).toContain('passwordauthentication no');
    expect(await machine.run('passwd', '--status', loginUser)).toMatch(/^rehearsal L /);
    const version = await machine.run(
      ...([
        'runuser',
        '-u',
        loginUser,
        '--',
        'docker',
        'version',
        '--format',
        '{{.Server.Version}}',
      ] as const),
    );
    expect(version).toMatch(/^\d+\.\d+/);
    await access(inRoot(readyFile));
  });

  test('takes images from another engine, once, and runs them', async () => {
    const there = connectDocker(`unix://${inRoot('run/docker.sock')}`);
    const here = connectDocker(resolveDockerHost());
    const image = imageReference('redis');
    expect(await carryImages([image, 'registry.example/not-here:1'], here, there)).toEqual([image]);
    expect(await carryImages([image], here, there)).toEqual([]);
    expect((await there.getImage(image).inspect()).Id).toBe((await here.getImage(image).inspect()).Id);
    const container = await there.createContainer({
      Image: image,
      Entrypoint: ['redis-server', '--version'],
      HostConfig: { NetworkMode: 'none' },
    });
    await container.start();
    expect(await container.wait()).toEqual(expect.objectContaining({ StatusCode: 0 }));
    await container.remove({ v: true });
  });

  test('has the settings for its daemon where systemd looks for them', async () => {
    const settings = await machine.run('systemd-analyze', 'cat-config', 'systemd/system/docker.service');
    expect(settings).toMatch(/^Environment=GOGC=400$/m);
    await machine.run('systemd-analyze', 'verify', '/usr/lib/systemd/system/docker.service');
  });

  test('looks every minute for its end of life, on each boot', async () => {
    await lstat(inRoot('etc/systemd/system/timers.target.wants/rehearsal-expiry.timer'));
    const units = ['service', 'timer'].map((kind) => `/etc/systemd/system/rehearsal-expiry.${kind}`);
    await machine.run('systemd-analyze', 'verify', ...units);
    expect(expiryAtBoot.trim()).toBe(expiresAt);
  });

  test('lets its user prolong it', async () => {
    const later = '2100-01-02T03:04:05.000Z';
    const command = `echo ${later} | sudo -n tee ${expiryFile}`;
    await machine.run('runuser', '-u', loginUser, '--', 'sh', '-c', command);
    expect(await readFile(inRoot(expiryFile), 'utf8')).toBe(`${later}\n`);
  });

  test.each([
    ['lives on before it', expiresAt, false],
    ['powers off after it', '2020-01-02T03:04:05.000Z', true],
    ['powers off when nobody can tell', 'tomorrow or so', true],
  ])('%s', async (_, until, ends) => {
    await writeFile(inRoot('tmp/systemctl'), '#!/bin/sh\necho "$@"\n', { mode: 0o755 });
    await writeFile(inRoot(expiryFile), `${until}\n`);
    const said = await machine.run('env', 'PATH=/tmp:/usr/bin:/bin', '/usr/local/sbin/rehearsal-expiry');
    expect(said).toBe(ends ? 'poweroff' : '');
  });
});
