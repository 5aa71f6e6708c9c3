import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { labelKeys } from '../../components/labels.js';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { checkout } from '../../engine/state.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { npmRun } from '../helpers/cli.js';

const timeoutMs = 10 * 60_000;
const docker = connectDocker(resolveDockerHost());

let state: string;
let stack: string;
const rehearsal = (...args: string[]) =>
  npmRun('rehearsal', args, { PULUMI_BACKEND_URL: pathToFileURL(state).href });

interface Found {
  id: string;
  labels: Record<string, string>;
}

async function containers(): Promise<Found[]> {
  const filters = { label: [`${labelKeys.stack}=${stack}`] };
  const found = await docker.listContainers({ all: true, filters });
  return found.map(({ Id, Labels }) => ({ id: Id, labels: Labels })).sort((a, b) => a.id.localeCompare(b.id));
}

beforeAll(async () => {
  state = await mkdtemp(path.join(tmpdir(), 'rehearsal-standing-'));
  stack = path.basename(state).toLowerCase();
});

afterAll(async () => {
  // Also after a failure in the middle. Exits with an error when the stack is gone, as it should be.
  await rehearsal('down', '--stack', stack);
  await rm(path.join(checkout, `Pulumi.${stack}.yaml`), { force: true });
  await rm(path.join(checkout, '.rehearsal', 'stacks', stack), { recursive: true, force: true });
  await rm(state, { recursive: true });
}, timeoutMs);

describe('an environment that stays up', () => {
  test(
    'is brought up with a time to live, kept by a second up, tested, and brought down',
    async () => {
      const beforeMs = Date.now();
      const up = await rehearsal('up', '--stack', stack, '--profile', 'small', '--ttl', '4h');
      const afterMs = Date.now();
      expect(up).toMatchObject({ exitCode: exitCodes.go });
      const made = await containers();
      expect(made).toHaveLength(8);
      const expiries = [...new Set(made.map(({ labels }) => labels[labelKeys.expiresAt]))];
      expect(expiries).toHaveLength(1);
      const expiresAtMs = Date.parse(expiries[0] ?? '');
      expect(expiresAtMs).toBeGreaterThan(beforeMs + 4 * 3_600_000 - 1);
      expect(expiresAtMs).toBeLessThan(afterMs + 4 * 3_600_000);
      expect(up.stdout).toMatch(/chat page +│ http:\/\/127\.0\.0\.1:\d+/);
      expect(up.stdout).toContain(`rehearsal -- down --stack ${stack}`);

      const again = await rehearsal('up', '--stack', stack);
      expect(again).toMatchObject({ exitCode: exitCodes.go });
      expect(again.stdout).toContain(
        `profile small, 1712 MiB of limits, meant to live until ${expiries[0] ?? ''}`,
      );
      expect(await containers()).toEqual(made);

      const longer = await rehearsal('up', '--stack', stack, '--ttl', '8h');
      expect(longer).toMatchObject({ exitCode: exitCodes.error });
      expect(longer.stderr).toContain(`--ttl: stack ${stack} is up and lives until ${expiries[0] ?? ''}`);

      const suite = await rehearsal('test', '--stack', stack, '--suite', 'write-review-refine');
      expect(suite).toMatchObject({ exitCode: exitCodes.go });
      expect(await containers()).toEqual(made);

      const down = await rehearsal('down', '--stack', stack);
      expect(down).toMatchObject({ exitCode: exitCodes.go });
      expect(await containers()).toEqual([]);

      const gone = await rehearsal('down', '--stack', stack);
      expect(gone).toMatchObject({ exitCode: exitCodes.error });
      expect(gone.stderr).toContain(`--stack ${stack}: there is no such stack; there is none at all`);
    },
    timeoutMs,
  );
});

describe('bad input', () => {
  test.each([
    [['up'], "required option '--stack <name>'"],
    [
      ['up', '--stack', 'x', '--ttl', '4'],
      "'4' is invalid. allowed is a time in whole minutes from 1m to 7d",
    ],
    [['up', '--stack', 'x', '--ttl', '30s'], "'30s' is invalid"],
    [['up', '--stack', 'x', '--ttl', '8d'], "'8d' is invalid"],
    [['up', '--stack', 'x', '--ttl', 'soon'], "'soon' is invalid"],
    [['down'], 'give either --stack or --branch'],
    [['down', '--stack', 'x', '--branch', 'y'], 'give either --stack or --branch'],
  ])('%j is refused', async (args, message) => {
    const refused = await rehearsal(...args);
    expect(refused).toMatchObject({ exitCode: exitCodes.error });
    expect(refused.stderr).toContain(message);
  });
});
