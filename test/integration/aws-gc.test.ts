import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { labelKeys } from '../../components/labels.js';
import { checkout } from '../../engine/state.js';
import { exitCodes } from '../../runners/exit-codes.js';
import { readLeases, removeLease, writeLease } from '../../runners/leases.js';
import type { StackLabels } from '../../runners/stack-state.js';
import { npmRun } from '../helpers/cli.js';
import { startEc2, type Ec2Error, type Ec2StandIn } from '../helpers/aws/ec2.js';
import { leaseOf } from '../runners/support/leases.js';
import { whileNobodyElseCollects } from './support/collecting.js';
import { labelled } from './support/left-behind.js';

const timeoutMs = 5 * 60_000;
const hourMs = 3_600_000;
const [expired = '', unexpired = ''] = [-hourMs, hourMs].map((ms) => new Date(Date.now() + ms).toISOString());
const region = 'eu-central-1';

let state: string;
let prefix: string;
let ec2: Ec2StandIn;
let refusal: Ec2Error | undefined;
let environment: Record<string, string>;

beforeEach(async () => {
  // The state that knew of the hosts is lost: this one is new.
  state = await mkdtemp(path.join(tmpdir(), 'rehearsal-gc-aws-'));
  prefix = path.basename(state).toLowerCase();
  refusal = undefined;
  ec2 = await startEc2({ refuse: () => refusal });
  environment = {
    PULUMI_BACKEND_URL: pathToFileURL(state).href,
    PULUMI_CONFIG_PASSPHRASE: '',
    ...ec2.env,
  };
});

afterEach(async () => {
  await ec2.stop();
  const { leases } = await readLeases();
  for (const lease of leases.filter(({ stack }) => stack.startsWith(prefix))) await removeLease(lease);
  await rm(state, { recursive: true });
});

const labelsOf = (name: string, expiresAt: string): StackLabels => {
  const stack = `${prefix}-${name}`;
  return { stack, run: stack, suite: 'none', expiresAt };
};

/** A host as a stack makes it. @returns its resources' ids. */
function leaveHost(labels: StackLabels, where = region): string[] {
  const own = { region: where, tags: labelled(labels) };
  const group = ec2.add({ kind: 'security-group', ...own });
  const disk = ec2.add({ kind: 'volume', state: 'in-use', ...own });
  const keyPair = ec2.add({ kind: 'key-pair', ...own });
  const held = { groups: [group.id], disks: [disk.id] };
  const instance = ec2.add({ kind: 'instance', state: 'running', ...held, ...own });
  return [group, disk, keyPair, instance].map(({ id }) => id);
}
const remaining = (): string[] => ec2.remaining().map(({ id }) => id);

async function gc(...args: string[]): Promise<{ exitCode: number | undefined; stderr: string }> {
  const { exitCode, stderr } = await whileNobodyElseCollects(() =>
    npmRun('rehearsal', ['gc', ...args], environment),
  );
  return { exitCode, stderr };
}

test(
  'a host whose state is lost is found by its tags when its time is over, and no other is',
  async () => {
    const [over, alive, answered, odd] = [
      labelsOf('over', expired),
      labelsOf('alive', unexpired),
      labelsOf('answered', expired),
      labelsOf('odd', 'next week'),
    ];
    leaveHost(over);
    const others = [alive, answered, odd].flatMap((labels) => leaveHost(labels));
    others.push(...leaveHost(over, 'us-east-1'));
    others.push(ec2.add({ kind: 'instance', region, tags: { Name: 'alien' }, state: 'running' }).id);
    others.push(ec2.add({ kind: 'key-pair', region, tags: { [labelKeys.run]: over.run } }).id);
    const backend = environment['PULUMI_BACKEND_URL'] ?? '';
    await writeLease(leaseOf(answered.stack, { backend, standing: true, expiresAt: unexpired }));
    const before = remaining();

    const dry = await gc('--dry-run', '--region', region);
    expect(dry.stderr).toContain(`Would destroy ${over.stack}: it was to live until ${expired}`);
    for (const { stack } of [alive, answered]) expect(dry.stderr).not.toContain(stack);
    expect(dry.stderr).toMatch(/Left alone: instance eu-central-1\/i-\w+: label .* is "next week", no time/);
    expect(dry.stderr).toMatch(
      /Left alone: key pair eu-central-1\/key-\w+: it has not all of this project's labels/,
    );
    expect(remaining()).toEqual(before);

    const { stderr } = await gc('--region', region);
    expect(stderr).toMatch(new RegExp(`✔ ${over.stack}: it was to live until .*: destroyed`));
    expect(remaining().sort()).toEqual(others.sort());
  },
  timeoutMs,
);

test(
  'regions are those of the settings, and one that can’t be asked is no good news',
  async () => {
    const file = path.join(checkout, `Pulumi.${prefix}.yaml`);
    const lost = labelsOf('lost', expired);
    leaveHost(lost, 'eu-north-1');
    await writeFile(file, 'config:\n  rehearsal:host: {kind: aws, region: eu-north-1}\n');
    try {
      refusal = { code: 'UnauthorizedOperation', message: 'You are not authorized.' };
      const refused = await gc();
      expect(refused.exitCode).toBe(exitCodes.leak);
      expect(refused.stderr).toContain(
        'Left alone: what is in eu-north-1: AWS, eu-north-1: UnauthorizedOperation: You are not authorized.',
      );
      expect(remaining()).toHaveLength(4);

      refusal = undefined;
      expect((await gc()).stderr).toContain(`✔ ${lost.stack}`);
      expect(remaining()).toEqual([]);
    } finally {
      await rm(file);
    }
  },
  timeoutMs,
);
