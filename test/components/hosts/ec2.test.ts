import * as pulumi from '@pulumi/pulumi';
import type { RegisterResourceRequest } from '@pulumi/pulumi/proto/resource_pb.js';
import { MockMonitor } from '@pulumi/pulumi/runtime/mocks.js';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { parse } from 'yaml';
import { parseConfig, resolveEnvironment } from '../../../components/config.js';
import { hostSchema, type AwsHost } from '../../../components/hosts/settings.js';
import { violations, type Registered } from '../support/policy.js';

const expiresAt = '2026-01-02T03:04:05.000Z';
const keys = {
  userPrivateKey: 'user-private',
  userPublicKey: 'ssh-ed25519 AAAAuser',
  hostPrivateKey: 'host-private',
  hostPublicKey: 'ssh-ed25519 AAAAhost',
};
const tags = {
  'rehearsal.run': 'r1',
  'rehearsal.suite': 's1',
  'rehearsal.branch': 'main',
  'rehearsal.owner': 'ci',
  'rehearsal.stack': 'test',
  'rehearsal.expires-at': expiresAt,
};
const settingsOf = (more: object = {}): AwsHost =>
  hostSchema.parse({ kind: 'aws', region: 'eu-central-1', runnerAddress: '192.0.2.7', ...more }) as AwsHost;

interface Recorded extends Registered {
  provider: string;
}
/** What the mocks don't hear of: by name, the URN of the resource that each is deleted with. */
let deletedWith: Map<string, string>;
/** Resource and property of what the program passed on as a secret. */
let secretInputs: string[];

const unwrap = (name: string, inputs: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(inputs).map(([property, value]) => {
      if (!pulumi.runtime.isRpcSecret(value)) return [property, value];
      secretInputs.push(`${name}.${property}`);
      return [property, pulumi.runtime.unwrapRpcSecret(value) as unknown];
    }),
  );
let registered: Recorded[];
let invoked: { token: string; inputs: unknown }[];

async function withMocks(settings: AwsHost): Promise<unknown> {
  registered = [];
  invoked = [];
  deletedWith = new Map();
  secretInputs = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, provider }) => {
        const state = unwrap(name, inputs as Record<string, unknown>);
        registered.push({ type, name, inputs: state, provider: provider ?? '' });
        switch (type) {
          case 'pulumi-nodejs:dynamic:Resource':
            return { id: name, state: { ...state, ...(name === 'host-keys' ? keys : { expiresAt }) } };
          case 'aws:ec2/instance:Instance':
            return { id: 'i-0123456789abcdef0', state: { ...state, publicIp: '198.51.100.9' } };
          case 'aws:ec2/keyPair:KeyPair':
            return { id: 'host-key-1', state: { ...state, keyName: 'host-key-1' } };
          case 'docker:index/remoteImage:RemoteImage':
            return { id: `id-${name}`, state: { ...state, imageId: `sha256:${name}` } };
          case 'docker:index/container:Container':
            return { id: `id-${name}`, state: { ...state, name: `${name}-1`, ports: [{ external: 40000 }] } };
          default:
            return { id: `id-${name}`, state: { ...state, name: `${name}-1` } };
        }
      },
      call: ({ token, inputs }) => {
        invoked.push({ token, inputs });
        if (token === 'aws:ssm/getParameter:getParameter') return { insecureValue: 'ami-0123456789abcdef0' };
        if (token === 'aws:ec2/getSubnet:getSubnet') return { vpcId: 'vpc-01234567' };
        throw new Error(`unexpected invoke ${token}`);
      },
    },
    'rehearsal',
    'test',
    // A preview: there is no host to wait for.
    true,
  );
  const { awsHost } = await import('../../../components/hosts/aws.js');
  const { TestEnvironment } = await import('../../../components/environment.js');
  const spec = resolveEnvironment(parseConfig({ 'rehearsal:profile': 'standard' }, 'the test'), 'the test');
  const environment = new TestEnvironment('environment', {
    spec,
    host: await awsHost({ settings, spec, stack: 'test', source: 'the test' }),
    labels: { run: 'r1', suite: 's1', branch: 'main', owner: 'ci', stack: 'test' },
    ttlMinutes: 60,
    mayStart: Promise.resolve(),
  });
  const outputs = await new Promise<unknown>((resolve) => {
    pulumi.output(environment.outputs.host).apply(resolve);
  });
  // The next environment replaces the mocks.
  await pulumi.runtime.disconnect();
  return outputs;
}

beforeAll(() => {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with the monitor below
  const register = MockMonitor.prototype.registerResource;
  jest.spyOn(MockMonitor.prototype, 'registerResource').mockImplementation(function (
    this: MockMonitor,
    request: RegisterResourceRequest,
    callback,
  ) {
    deletedWith.set(request.getName(), request.getDeletedwith());
    return register.call(this, request, callback);
  });
});

afterAll(() => {
  jest.restoreAllMocks();
});

const only = (type: string): Recorded => {
  const found = registered.filter((resource) => resource.type === type);
  expect(found).toHaveLength(1);
  return found[0] as Recorded;
};

describe('an environment on AWS', () => {
  test('is exactly these resources, each with exactly these properties', async () => {
    const outputs = await withMocks(settingsOf());
    const aws = registered.filter(({ type }) => type.includes('aws'));
    expect(aws.map(({ type, name }) => `${type} ${name}`).sort()).toEqual([
      'aws:ec2/instance:Instance host-instance',
      'aws:ec2/keyPair:KeyPair host-key',
      'aws:ec2/securityGroup:SecurityGroup host-group',
      'pulumi:providers:aws host-aws',
    ]);
    expect(only('pulumi:providers:aws').inputs).toEqual({
      region: 'eu-central-1',
      // The provider's own defaults.
      skipCredentialsValidation: 'false',
      skipRegionValidation: 'true',
    });
    expect(only('aws:ec2/keyPair:KeyPair').inputs).toEqual({ publicKey: keys.userPublicKey, tags });
    expect(only('aws:ec2/securityGroup:SecurityGroup').inputs).toEqual({
      description: 'A rehearsal host: ssh from its runner only',
      ingress: [
        {
          protocol: 'tcp',
          fromPort: 22,
          toPort: 22,
          cidrBlocks: ['192.0.2.7/32'],
          description: 'ssh from the runner',
        },
      ],
      egress: [80, 443].map((port) => ({
        protocol: 'tcp',
        fromPort: port,
        toPort: port,
        cidrBlocks: ['0.0.0.0/0'],
        description: 'packages, images and the LLM',
      })),
      tags,
    });
    const { userData, ...instance } = only('aws:ec2/instance:Instance').inputs;
    expect(instance).toEqual({
      ami: 'ami-0123456789abcdef0',
      instanceType: 'm7i.xlarge',
      associatePublicIpAddress: true,
      vpcSecurityGroupIds: ['id-host-group'],
      keyName: 'host-key-1',
      metadataOptions: { httpEndpoint: 'enabled', httpTokens: 'required', httpPutResponseHopLimit: 1 },
      rootBlockDevice: { volumeType: 'gp3', volumeSize: 30, encrypted: true, deleteOnTermination: true },
      instanceInitiatedShutdownBehavior: 'terminate',
      tags,
      volumeTags: tags,
    });
    expect(parse(userData as string)).toMatchObject({
      ssh_keys: { ed25519_private: keys.hostPrivateKey, ed25519_public: keys.hostPublicKey },
    });
    // The host's private key is in it.
    expect(secretInputs).toContain('host-instance.userData');
    for (const { type, provider } of aws) {
      if (type !== 'pulumi:providers:aws') expect(provider).toContain('host-aws');
    }
    expect(invoked).toEqual([
      {
        token: 'aws:ssm/getParameter:getParameter',
        inputs: { name: '/aws/service/debian/release/12/latest/amd64' },
      },
    ]);
    expect(outputs).toEqual({
      kind: 'aws',
      region: 'eu-central-1',
      instanceId: 'i-0123456789abcdef0',
      instanceType: 'm7i.xlarge',
      address: '198.51.100.9',
      user: 'rehearsal',
      hostKey: keys.hostPublicKey,
      privateKey: keys.userPrivateKey,
    });
    expect(violations(registered)).toEqual([]);
  });

  test('has every Docker resource deleted with the instance', async () => {
    await withMocks(settingsOf());
    const docker = registered.filter(({ type }) => type.startsWith('docker:'));
    expect(docker).toHaveLength(20);
    for (const { name } of docker) {
      expect(deletedWith.get(name)).toMatch(/aws:ec2\/instance:Instance::host-instance$/);
    }
  });

  test('takes what the settings say of the instance', async () => {
    await withMocks(
      settingsOf({
        architecture: 'arm64',
        instanceTypes: ['r7g.2xlarge'],
        spot: true,
        volumeGb: 100,
        subnetId: 'subnet-01234567',
      }),
    );
    expect(invoked).toContainEqual({
      token: 'aws:ssm/getParameter:getParameter',
      inputs: { name: '/aws/service/debian/release/12/latest/arm64' },
    });
    expect(only('aws:ec2/securityGroup:SecurityGroup').inputs).toMatchObject({ vpcId: 'vpc-01234567' });
    expect(only('aws:ec2/instance:Instance').inputs).toMatchObject({
      instanceType: 'r7g.2xlarge',
      subnetId: 'subnet-01234567',
      rootBlockDevice: { volumeSize: 100, encrypted: true },
      instanceMarketOptions: {
        marketType: 'spot',
        spotOptions: { spotInstanceType: 'one-time', instanceInterruptionBehavior: 'terminate' },
      },
    });
    expect(violations(registered)).toEqual([]);
  });

  test('takes an image that is named, and asks for none', async () => {
    await withMocks(settingsOf({ ami: 'ami-0fedcba9876543210' }));
    expect(only('aws:ec2/instance:Instance').inputs).toMatchObject({ ami: 'ami-0fedcba9876543210' });
    expect(invoked).toEqual([]);
  });
});

describe('the policy', () => {
  const change = (type: string, more: object): Registered[] =>
    registered.map((resource) =>
      resource.type === type ? { ...resource, inputs: { ...resource.inputs, ...more } } : resource,
    );
  const instance = 'aws:ec2/instance:Instance';
  const group = 'aws:ec2/securityGroup:SecurityGroup';
  const metadataOptions = { httpEndpoint: 'enabled', httpTokens: 'required', httpPutResponseHopLimit: 1 };
  const untagged = Object.fromEntries(Object.entries(tags).filter(([key]) => key !== 'rehearsal.owner'));

  beforeAll(() => withMocks(settingsOf()));

  test.each([
    ['open to 0.0.0.0/0', group, { ingress: [{ cidrBlocks: ['192.0.2.7/32', '0.0.0.0/0'] }] }],
    ['open to ::/0', group, { ingress: [{ ipv6CidrBlocks: ['::/0'] }] }],
    ['unencrypted disk', instance, { rootBlockDevice: { volumeType: 'gp3' } }],
    ['IMDSv1', instance, { metadataOptions: { ...metadataOptions, httpTokens: 'optional' } }],
    [
      'metadata within reach of containers',
      instance,
      { metadataOptions: { ...metadataOptions, httpPutResponseHopLimit: 2 } },
    ],
    ['outlives its shutdown', instance, { instanceInitiatedShutdownBehavior: 'stop' }],
    ['no shutdown timer', instance, { userData: '#cloud-config\n' }],
    ['no rehearsal.owner in tags', instance, { tags: untagged }],
    ['no rehearsal.owner in volumeTags', instance, { volumeTags: untagged }],
    ['no rehearsal.owner in tags', 'aws:ec2/keyPair:KeyPair', { tags: untagged }],
    ['no rehearsal.owner in tags', group, { tags: untagged }],
  ])('refuses: %s (%s)', (what, type, more) => {
    expect(violations(change(type, more))).toEqual([expect.stringContaining(what)]);
  });
});
