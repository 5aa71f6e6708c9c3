import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { labelKeys } from '../../components/labels.js';
import { connectDocker } from '../../engine/docker.js';
import { folderOf } from '../../engine/ssh/target.js';
import { closeTunnel } from '../../engine/ssh/tunnel.js';
import { checkout } from '../../engine/state.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { npmRun } from '../helpers/cli.js';
import { restartSshd, startSshHost, type SshHost } from '../helpers/ssh-host.js';

const timeoutMs = 10 * 60_000;

let host: SshHost;
let state: string;
let stack: string;
let env: Record<string, string>;
let folder: string;

beforeAll(async () => {
  state = await mkdtemp(path.join(tmpdir(), 'rehearsal-ssh-standing-'));
  stack = path.basename(state).toLowerCase();
  env = { PULUMI_BACKEND_URL: pathToFileURL(state).href };
  host = await startSshHost();
  folder = folderOf(host);
}, timeoutMs);

// Each time anew: Pulumi removes the settings with the stack.
beforeEach(async () => {
  const suites = [
    {
      name: 'asks',
      command: [process.execPath, 'test/fixtures/suites/asks.mjs', '1'],
      timeoutSeconds: 60,
    },
  ];
  const config = {
    'rehearsal:profile': 'small',
    'rehearsal:host': host.settings,
    'rehearsal:suites': suites,
  };
  await writeFile(path.join(checkout, `Pulumi.${stack}.yaml`), stringify({ config }));
});

afterAll(async () => {
  // Also after a failure in the middle. Exits with an error when the stack is gone, as it should be.
  await npmRun('rehearsal', ['down', '--stack', stack], env);
  await host.dismiss();
  await rm(path.join(checkout, `Pulumi.${stack}.yaml`), { force: true });
  await rm(path.join(checkout, '.rehearsal', 'stacks', stack), { recursive: true, force: true });
  await rm(state, { recursive: true });
}, timeoutMs);

async function stacksThere(): Promise<string[]> {
  const found = await connectDocker(host.dockerHost()).listContainers({ all: true });
  return [...new Set(found.map(({ Labels }) => Labels[labelKeys.stack] ?? 'nobody'))];
}

test(
  'an environment on another machine stays up, is reached from here, tested, and brought down',
  async () => {
    const up = await npmRun('rehearsal', ['up', '--stack', stack], env);
    expect(up).toMatchObject({ exitCode: exitCodes.go });
    expect(await stacksThere()).toEqual([stack]);
    const page = /chat page\W+(http:\S+)/.exec(up.stdout)?.[1] ?? '';
    expect(await (await fetch(page)).text()).toMatch(/<title>/);

    // Whoever comes later opens the way anew, the addresses are the same.
    await restartSshd(host, folder);
    const suite = await npmRun('rehearsal', ['test', '--stack', stack], env);
    expect(suite).toMatchObject({ exitCode: exitCodes.go });
    expect((await fetch(page)).status).toBe(200);

    await closeTunnel(folder);
    const down = await npmRun('rehearsal', ['down', '--stack', stack], env);
    expect(down).toMatchObject({ exitCode: exitCodes.go });
    expect(await stacksThere()).toEqual([]);
  },
  timeoutMs,
);

test(
  'plain pulumi commands bring a stack up there and destroy it',
  async () => {
    const options = ['--yes', '--skip-preview', '--stack', stack];
    const up = await npmRun('pulumi', ['up', ...options], env);
    expect(up).toMatchObject({ exitCode: 0 });
    expect(await stacksThere()).toEqual([stack]);
    await closeTunnel(folder);
    const destroy = await npmRun('pulumi', ['destroy', '--remove', ...options], env);
    expect(destroy).toMatchObject({ exitCode: 0 });
    expect(await stacksThere()).toEqual([]);
  },
  timeoutMs,
);
