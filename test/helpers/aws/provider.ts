import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DescribeInstancesCommand,
  DescribeKeyPairsCommand,
  DescribeSecurityGroupsCommand,
  EC2Client,
  EC2ServiceException,
  ImportKeyPairCommand,
  RunInstancesCommand,
  type ResourceType as TaggedType,
  type TagSpecification,
} from '@aws-sdk/client-ec2';
import { unsupportedProblem, type Wording } from '../../../engine/provider/check.js';
import { newState } from '../../../engine/provider/diff.js';
import type { Provider } from '../../../engine/provider/provider.js';
import type { ResourceState, ResourceType } from '../../../engine/provider/resource.js';
import {
  flag,
  integer,
  map,
  object,
  oneOf,
  setOf,
  text,
  typed,
  type Properties,
} from '../../../engine/provider/schema.js';
import { present, textOf, type Values } from '../../../engine/provider/values.js';
import { ec2In } from '../../../runners/ec2.js';

/** What the operations need: EC2 in the provider's region, and this project's own way to remove things there. */
interface Aws {
  region: string;
  ec2: EC2Client;
}

const wording: Wording = { title: "the tests' AWS provider", remedy: 'teach it' };

/** The tags of a resource of one kind, as the one who makes it has to give them. */
const tagged = (type: TaggedType, tags: Record<string, string> = {}): TagSpecification => ({
  ResourceType: type,
  Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
});

const remove =
  (kind: 'instance' | 'security group' | 'key pair') =>
  ({ region }: Aws, id: string): Promise<void> =>
    ec2In(region).remove([{ kind, name: `${region}/${id}` }]);

const keyPairInputs = {
  publicKey: { ...text, required: true, replace: true },
  tags: map,
} as const satisfies Properties;

const keyPair: ResourceType<Aws> = {
  inputs: keyPairInputs,
  outputs: ['keyName', 'keyPairId'],
  autonamed: false,
  deleteBeforeReplace: false,
  meta: {},
  async create({ ec2 }, values): Promise<ResourceState> {
    const { publicKey, tags } = typed(keyPairInputs, values);
    const name = `key-${crypto.randomUUID().slice(0, 8)}`;
    const material = Buffer.from(publicKey);
    const made = await ec2.send(
      new ImportKeyPairCommand({
        KeyName: name,
        PublicKeyMaterial: material,
        TagSpecifications: [tagged('key-pair', tags)],
      }),
    );
    const known = { keyName: name, keyPairId: made.KeyPairId ?? '' };
    return { id: name, state: { ...newState(keyPairInputs, values, false), ...known } };
  },
  async read({ ec2 }, id, state) {
    const Filters = [{ Name: 'key-name', Values: [id] }];
    const { KeyPairs = [] } = await ec2.send(new DescribeKeyPairsCommand({ Filters }));
    return KeyPairs.length === 0 ? undefined : { id, state };
  },
  remove: (context, _, { keyPairId }) => remove('key pair')(context, textOf(keyPairId)),
};

const rules = setOf(
  object({
    protocol: { ...text, required: true },
    fromPort: { ...integer, required: true },
    toPort: { ...integer, required: true },
    cidrBlocks: setOf(text),
    description: text,
  }),
);
const groupInputs = {
  description: { ...text, replace: true },
  ingress: rules,
  egress: rules,
  tags: map,
} as const satisfies Properties;

const securityGroup: ResourceType<Aws> = {
  inputs: groupInputs,
  outputs: [],
  autonamed: true,
  deleteBeforeReplace: false,
  meta: {},
  async create({ ec2 }, values) {
    const { description, ingress = [], tags } = typed(groupInputs, values);
    const { GroupId: id = '' } = await ec2.send(
      new CreateSecurityGroupCommand({
        GroupName: textOf(values['name']),
        Description: description,
        TagSpecifications: [tagged('security-group', tags)],
      }),
    );
    const IpPermissions = ingress.map(({ protocol, fromPort, toPort, cidrBlocks = [] }) => ({
      IpProtocol: protocol,
      FromPort: fromPort,
      ToPort: toPort,
      IpRanges: cidrBlocks.map((CidrIp) => ({ CidrIp })),
    }));
    await ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId: id, IpPermissions }));
    return { id, state: newState({ ...groupInputs, name: text }, values, false) };
  },
  async read({ ec2 }, id, state) {
    const Filters = [{ Name: 'group-id', Values: [id] }];
    const { SecurityGroups = [] } = await ec2.send(new DescribeSecurityGroupsCommand({ Filters }));
    return SecurityGroups.length === 0 ? undefined : { id, state };
  },
  remove: remove('security group'),
};

const replaced = { replace: true } as const;
const instanceInputs = {
  ami: { ...text, ...replaced, required: true },
  instanceType: { ...text, ...replaced, required: true },
  associatePublicIpAddress: { ...flag, ...replaced },
  vpcSecurityGroupIds: setOf(text),
  keyName: { ...text, ...replaced },
  userData: { ...text, ...replaced },
  metadataOptions: object({ httpEndpoint: text, httpTokens: text, httpPutResponseHopLimit: integer }),
  rootBlockDevice: object({
    volumeType: text,
    volumeSize: integer,
    encrypted: flag,
    deleteOnTermination: flag,
  }),
  instanceInitiatedShutdownBehavior: oneOf('terminate', 'stop'),
  tags: map,
  volumeTags: map,
} as const satisfies Properties;

const instance: ResourceType<Aws> = {
  inputs: instanceInputs,
  outputs: ['publicIp'],
  autonamed: false,
  deleteBeforeReplace: false,
  meta: {},
  async create({ ec2 }, values) {
    const news = typed(instanceInputs, values);
    const { Instances = [] } = await ec2.send(
      new RunInstancesCommand({
        MinCount: 1,
        MaxCount: 1,
        ImageId: news.ami,
        InstanceType: news.instanceType as never,
        KeyName: news.keyName,
        SecurityGroupIds: news.vpcSecurityGroupIds,
        UserData: Buffer.from(news.userData ?? '').toString('base64'),
        InstanceInitiatedShutdownBehavior: news.instanceInitiatedShutdownBehavior as never,
        TagSpecifications: [tagged('instance', news.tags), tagged('volume', news.volumeTags)],
      }),
    );
    const { InstanceId: id = '', PublicIpAddress: publicIp = '' } = Instances[0] ?? {};
    return { id, state: { ...newState(instanceInputs, values, false), publicIp } };
  },
  async read({ ec2 }, id, state) {
    const Filters = [{ Name: 'instance-id', Values: [id] }];
    const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ Filters }));
    const found = Reservations.flatMap(({ Instances = [] }) => Instances);
    return found.some(({ State }) => State?.Name !== 'terminated') ? { id, state } : undefined;
  },
  remove: remove('instance'),
};

/** Others that the SDK fills in by itself change nothing here. */
const settings = ['region', 'skipCredentialsValidation', 'skipRegionValidation'];
const engineKeys = ['version', 'pluginDownloadURL'];

/** An error of AWS as the official provider words it: with its code. */
function worded(cause: unknown): unknown {
  if (!(cause instanceof EC2ServiceException)) return cause;
  return new Error(`operation error EC2: api error ${cause.name}: ${cause.message}`, { cause });
}

const withWording = (type: ResourceType<Aws>): ResourceType<Aws> => ({
  ...type,
  create: (context, inputs) =>
    type.create(context, inputs).catch((error: unknown) => {
      throw worded(error);
    }),
});

/** For the types of `@pulumi/aws` that this project uses, as far as it uses them. */
export const awsProvider: Provider<Aws> = {
  name: 'aws',
  version: '7.48.0',
  wording,
  types: new Map([
    ['aws:ec2/instance:Instance', withWording(instance)],
    ['aws:ec2/keyPair:KeyPair', withWording(keyPair)],
    ['aws:ec2/securityGroup:SecurityGroup', withWording(securityGroup)],
  ]),
  functions: new Map([
    [
      'aws:ssm/getParameter:getParameter',
      (_, { name = '' }): Promise<Values> =>
        Promise.resolve({ name, insecureValue: 'ami-0123456789abcdef0' }),
    ],
  ]),
  settings: ['region'],
  checkConfig(news) {
    const given = Object.keys(news).filter(
      (key) => present(news[key]) !== undefined && !key.startsWith('__'),
    );
    const unsupported = given.filter((key) => ![...settings, ...engineKeys].includes(key));
    return {
      inputs: news,
      problems: unsupported.length > 0 ? [unsupportedProblem(unsupported, wording)] : [],
    };
  },
  connect({ region }) {
    const where = textOf(region);
    return Promise.resolve({ region: where, ec2: new EC2Client({ region: where }) });
  },
};
