import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { labelKeys } from '../../components/labels.js';
import { ec2In } from '../../runners/ec2.js';
import {
  startEc2,
  type Ec2Kind,
  type Ec2Options,
  type Ec2Resource,
  type Ec2StandIn,
} from '../helpers/aws/ec2.js';

const region = 'eu-central-1';
const hourMs = 3_600_000;
const [expired, unexpired] = [-hourMs, hourMs].map((ms) => new Date(Date.now() + ms).toISOString());
const scope = { runId: 'tabc123xyz', suite: 'chat' };
const labels = {
  [labelKeys.run]: scope.runId,
  [labelKeys.suite]: scope.suite,
  [labelKeys.stack]: 'main--tabc123xyz-chat',
  [labelKeys.expiresAt]: unexpired ?? '',
};

let ec2: Ec2StandIn | undefined;
let options: Ec2Options;
const environment = { ...process.env };

beforeEach(() => {
  options = {};
});
afterEach(async () => {
  await ec2?.stop();
  ec2 = undefined;
  process.env = { ...environment };
});

async function start(): Promise<Ec2StandIn> {
  ec2 = await startEc2({ refuse: (action, parameters) => options.refuse?.(action, parameters) });
  Object.assign(process.env, ec2.env);
  return ec2;
}

/** A host with all that belongs to it. */
function addHost({ add }: Ec2StandIn, tags: Record<string, string> = labels, where = region): Ec2Resource[] {
  const one = (kind: Ec2Kind, more: Partial<Ec2Resource> = {}): Ec2Resource =>
    add({ kind, region: where, tags, ...more });
  const [group, disk, keyPair] = [one('security-group'), one('volume', { state: 'in-use' }), one('key-pair')];
  return [one('instance', { state: 'running', groups: [group.id], disks: [disk.id] }), disk, group, keyPair];
}
const leftoverOf = ({ kind, id }: Ec2Resource) => ({
  kind: { instance: 'instance', volume: 'disk', 'security-group': 'security group', 'key-pair': 'key pair' }[
    kind
  ],
  name: `${region}/${id}`,
});

describe('what a region has', () => {
  test('is found by its tags, over all pages, without what isn’t this project’s, elsewhere or over', async () => {
    const standIn = await start();
    const hosts = Array.from({ length: 5 }, () => addHost(standIn)).flat();
    addHost(standIn, { Name: 'somebody else’s' });
    addHost(standIn, labels, 'us-east-1');
    standIn.add({ kind: 'instance', region, tags: labels, state: 'terminated' });
    const found = await ec2In(region).everything();
    expect(found).toHaveLength(hosts.length);
    expect(standIn.calls.filter((action) => action === 'DescribeSecurityGroups')).toHaveLength(3);
    expect(found).toEqual(
      expect.arrayContaining(hosts.map((resource) => ({ ...leftoverOf(resource), labels }))),
    );
  });

  test('of a run is all that carries its labels, whatever its time', async () => {
    const standIn = await start();
    const host = addHost(standIn);
    addHost(standIn, { ...labels, [labelKeys.run]: 'another' });
    addHost(standIn, { ...labels, [labelKeys.suite]: 'another' });
    const found = await ec2In(region).leftovers(scope);
    expect(found).toEqual(host.map(leftoverOf));
  });

  test('of a stack made by hand is only what has outlived its time: others may have one of its name', async () => {
    const standIn = await start();
    const mine = { ...labels, [labelKeys.run]: 'dev', [labelKeys.suite]: 'none' };
    const host = addHost(standIn, { ...mine, [labelKeys.expiresAt]: expired ?? '' });
    addHost(standIn, mine);
    addHost(standIn, { ...mine, [labelKeys.expiresAt]: 'next week' });
    const found = await ec2In(region).leftovers({ runId: 'dev', suite: 'none' });
    expect(found).toEqual(host.map(leftoverOf));
  });
});

describe('what is removed', () => {
  test('is gone afterwards, and nothing else: instances first, what they hold when they have let go', async () => {
    const standIn = await start();
    addHost(standIn);
    const others = addHost(standIn, { ...labels, [labelKeys.run]: 'another' });
    const cloud = ec2In(region);
    await cloud.remove(await cloud.leftovers(scope));
    expect(new Set(standIn.remaining())).toEqual(new Set(others));
    const removals = standIn.calls.filter((action) => !action.startsWith('Describe'));
    expect(removals[0]).toBe('TerminateInstances');
    // The network interface of the instance kept it for a moment.
    expect(removals.filter((action) => action === 'DeleteSecurityGroup')).toHaveLength(2);
  });

  test('may be gone already', async () => {
    await start();
    const gone = ['instance', 'disk', 'security group', 'key pair'] as const;
    await ec2In(region).remove(gone.map((kind) => ({ kind, name: `${region}/x-0123456789abcdef0` })));
  });

  test('stays where it isn’t allowed to go, and hinders nothing else', async () => {
    const standIn = await start();
    const [instance] = addHost(standIn);
    const cloud = ec2In(region);
    const found = await cloud.leftovers(scope);
    const denied = { code: 'UnauthorizedOperation', message: 'You are not authorized.' };
    options.refuse = (action) => (action === 'DeleteSecurityGroup' ? denied : undefined);
    await expect(cloud.remove(found)).rejects.toThrow(
      /^AWS, eu-central-1: security group sg-\w+: UnauthorizedOperation: You are not authorized\.$/,
    );
    expect(standIn.remaining().map(({ kind }) => kind)).toEqual(['security-group']);
    expect(instance?.state).toBe('terminated');
  });
});

describe('an error of AWS', () => {
  test('names the region, the code and the reason', async () => {
    const message = 'You are not authorized to perform this operation.';
    options.refuse = () => ({ code: 'UnauthorizedOperation', message });
    await start();
    await expect(ec2In(region).everything()).rejects.toThrow(
      `AWS, ${region}: UnauthorizedOperation: ${message}`,
    );
  });

  test('is no mystery without credentials', async () => {
    await start();
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])
      Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: '/nowhere',
      AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
    });
    await expect(ec2In(region).everything()).rejects.toThrow(/^AWS, eu-central-1: .*credentials/);
  });
});
