import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { stringify } from 'yaml';
import { labelKeys } from '../../components/labels.js';
import { connectDocker, resolveDockerHost } from '../../engine/docker.js';
import { checkout } from '../../engine/state.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { readLeases, removeLease, writeLease, type Lease } from '../../runners/leases.js';
import { leaseOf } from '../runners/support/leases.js';
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

const leases = async (): Promise<Lease[]> =>
  (await readLeases()).leases.filter((lease) => lease.stack === stack);

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
      expect(again.stdout).toContain(`profile small, 1712 MiB of limits, lives until ${expiries[0] ?? ''}`);
      expect(await containers()).toEqual(made);
      expect(await leases()).toMatchObject([{ expiresAt: expiries[0], standing: true, memoryMb: 1712 }]);

      const longer = await rehearsal('up', '--stack', stack, '--ttl', '8h');
      expect(longer).toMatchObject({ exitCode: exitCodes.go });
      const [lease] = await leases();
      const until = lease?.expiresAt ?? '';
      expect(Date.parse(until)).toBeGreaterThan(beforeMs + 8 * 3_600_000 - 1);
      expect(longer.stdout).toContain(`lives until ${until}`);
      const shorter = await rehearsal('up', '--stack', stack, '--ttl', '1h');
      expect(shorter.stdout).toContain(`lives until ${until}`);
      expect(shorter.stderr).toContain(`lives longer than --ttl says already, until ${until}`);
      expect((await leases())[0]?.expiresAt).toBe(until);
      // What the state says is enough: a lease may be lost.
      await removeLease({ stack, backend: pathToFileURL(state).href });
      const unchanged = await rehearsal('up', '--stack', stack);
      expect(unchanged.stdout).toContain(`lives until ${until}`);
      expect((await leases())[0]?.expiresAt).toBe(until);
      expect(await containers()).toEqual(made);

      const suite = await rehearsal('test', '--stack', stack, '--suite', 'write-review-refine');
      expect(suite).toMatchObject({ exitCode: exitCodes.go });
      expect(await containers()).toEqual(made);

      const down = await rehearsal('down', '--stack', stack);
      expect(down).toMatchObject({ exitCode: exitCodes.go });
      expect(await containers()).toEqual([]);
      expect(await leases()).toEqual([]);
      // It held for that environment.
      expect(existsSync(path.join(checkout, `Pulumi.${stack}.yaml`))).toBe(false);

      const gone = await rehearsal('down', '--stack', stack);
      expect(gone).toMatchObject({ exitCode: exitCodes.error });
      expect(gone.stderr).toContain(`--stack ${stack}: there is no such stack; there is none at all`);
    },
    timeoutMs,
  );
});

test(
  'an environment that doesn’t come up keeps its lease and what is up, until it is brought down',
  async () => {
    const broken = { command: ['sh', '-c', 'exit 3'] };
    const config = { 'rehearsal:profile': 'small', 'rehearsal:services': { llm: broken } };
    const file = path.join(checkout, `Pulumi.${stack}.yaml`);
    const written = `# Ours.\n${stringify({ config })}`;
    await writeFile(file, written);
    const up = await rehearsal('up', '--stack', stack, '--ttl', '2h');
    expect(up).toMatchObject({ exitCode: exitCodes.error });
    const [lease] = await leases();
    expect(lease).toMatchObject({ standing: true, runId: stack, suite: 'none', memoryMb: 1712 });
    expect(up.stderr).toContain(`stays for a look, until ${lease?.expiresAt ?? ''} at most`);
    expect(await containers()).not.toEqual([]);
    const down = await rehearsal('down', '--stack', stack);
    expect(down).toMatchObject({ exitCode: exitCodes.go });
    expect(await leases()).toEqual([]);
    expect(await containers()).toEqual([]);
    expect(await readFile(file, 'utf8')).toBe(written);
    await rm(file);
  },
  timeoutMs,
);

test(
  'an environment that doesn’t fit beside the others waits, and leaves nothing when that is interrupted',
  async () => {
    // The same engine by another name has a line of its own: other tests' environments needn't wait as well.
    const dockerHost = resolveDockerHost().replace('unix:///', 'unix:///./');
    const backend = pathToFileURL(state).href;
    const filler = leaseOf(`${stack}-filler`, { memoryMb: 10_000_000, backend, dockerHost });
    await writeLease(filler);
    try {
      const up = execa(process.execPath, ['engine/bootstrap.mjs', 'up', '--stack', stack], {
        cwd: checkout,
        env: { PULUMI_BACKEND_URL: backend, DOCKER_HOST: dockerHost },
        reject: false,
      });
      up.stderr.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes(`don't fit beside`)) up.kill('SIGINT');
      });
      const { exitCode, stderr } = await up;
      expect(stderr).toContain(`${filler.stack} (10000000 MiB)`);
      expect(exitCode).toBe(exitCodes.interrupted);
      expect(await leases()).toEqual([]);
      expect(await containers()).toEqual([]);
    } finally {
      await removeLease(filler);
    }
  },
  timeoutMs,
);

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
    [['test', '--stack', 'nosuch'], '--stack nosuch: there is no such stack; there '],
    [['down'], 'give either --stack or --branch'],
    [['down', '--stack', 'x', '--branch', 'y'], 'give either --stack or --branch'],
  ])('%j is refused', async (args, message) => {
    const refused = await rehearsal(...args);
    expect(refused).toMatchObject({ exitCode: exitCodes.error });
    expect(refused.stderr).toContain(message);
  });
});
