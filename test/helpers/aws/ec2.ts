import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { xmlOf, type Xml } from './xml.js';

export type Ec2Kind = 'instance' | 'volume' | 'security-group' | 'key-pair';

export interface Ec2Resource {
  kind: Ec2Kind;
  id: string;
  region: string;
  tags: Record<string, string>;
  /** Of an instance or a disk, in AWS's words. */
  state?: string;
  /** Security groups of an instance. */
  groups?: readonly string[];
  /** An instance's own disks, which end with it. */
  disks?: readonly string[];
  /** Every parameter of the request that made it. */
  parameters: Readonly<Record<string, string>>;
  /** Of an instance. */
  address?: string;
}

export interface Ec2Error {
  code: string;
  message: string;
}

export interface Ec2Options {
  /** What fails, and why. */
  refuse?: (action: string, parameters: Readonly<Record<string, string>>) => Ec2Error | undefined;
  /** An instance type that no region has. */
  withoutType?: string;
  /** Starts an instance's machine. @returns its address. */
  boot?: (instance: Ec2Resource) => Promise<string>;
  /** Ends an instance's machine. */
  halt?: (instance: Ec2Resource) => Promise<void>;
}

export type Ec2StandIn = Awaited<ReturnType<typeof startEc2>>;

/** Small, so that everything has more than one page. */
const pageSize = 2;
const namespace = 'http://ec2.amazonaws.com/doc/2016-11-15/';

class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Amazon's EC2 as far as this project uses it: its Query API over HTTP, with pages, errors, and things that take a
 * while. Whoever has `env` in his environment talks to it instead of to Amazon.
 */
export async function startEc2(options: Ec2Options = {}) {
  const resources = new Map<string, Ec2Resource>();
  const calls: string[] = [];
  /** Instances that were told to end, and groups whose last user has just ended. */
  const ending = new Map<string, Promise<unknown>>();
  const lingering = new Set<string>();

  const add = (resource: Omit<Ec2Resource, 'id' | 'parameters'> & Partial<Ec2Resource>): Ec2Resource => {
    const made = { id: newId(resource.kind), parameters: {}, ...resource };
    resources.set(made.id, made);
    return made;
  };
  const find = (id: string, kind: Ec2Kind, code: string): Ec2Resource => {
    const found = resources.get(id);
    if (found?.kind === kind && found.state !== 'terminated') return found;
    throw new Refusal(code, `The ID '${id}' does not exist`);
  };
  const usersOf = (group: string): Ec2Resource[] =>
    [...resources.values()].filter(
      ({ groups, state }) => groups?.includes(group) === true && state !== 'terminated',
    );

  const endInstance = async (instance: Ec2Resource): Promise<void> => {
    await options.halt?.(instance);
    instance.state = 'terminated';
    for (const disk of instance.disks ?? []) resources.delete(disk);
    for (const group of instance.groups ?? []) lingering.add(group);
  };

  type Handler = (parameters: Record<string, string>, region: string) => Promise<Xml> | Xml;
  const describe =
    (kind: Ec2Kind, element: string, item: (resource: Ec2Resource) => Xml): Handler =>
    (parameters, region) => {
      const all = [...resources.values()].filter(
        (resource) =>
          resource.kind === kind && resource.region === region && matches(resource, filtersOf(parameters)),
      );
      // Key pairs come on one page.
      const size = kind === 'key-pair' ? all.length : pageSize;
      const start = Number(parameters['NextToken'] ?? 0);
      const next = start + size < all.length ? { nextToken: String(start + size) } : {};
      return { [element]: all.slice(start, start + size).map(item), ...next };
    };

  const handlers: Record<string, Handler> = {
    DescribeInstances: describe('instance', 'reservationSet', (instance) => ({
      instancesSet: [describeInstance(instance)],
    })),
    DescribeInstanceTypeOfferings(parameters) {
      const types = filtersOf(parameters).flatMap(({ values }) => values);
      const offered = types.filter((type) => type !== options.withoutType);
      return { instanceTypeOfferingSet: offered.map((instanceType) => ({ instanceType })) };
    },
    DescribeVolumes: describe('volume', 'volumeSet', ({ id, tags }) => ({
      volumeId: id,
      tagSet: tagSet(tags),
    })),
    DescribeSecurityGroups: describe('security-group', 'securityGroupInfo', ({ id, tags }) => ({
      groupId: id,
      tagSet: tagSet(tags),
    })),
    DescribeKeyPairs: describe('key-pair', 'keySet', ({ id, tags }) => ({
      keyPairId: id,
      tagSet: tagSet(tags),
    })),
    ImportKeyPair(parameters, region) {
      const { id } = add({ kind: 'key-pair', region, tags: tagsOf(parameters, 'key-pair'), parameters });
      return { keyPairId: id, keyName: parameters['KeyName'] ?? '' };
    },
    CreateSecurityGroup(parameters, region) {
      const tags = tagsOf(parameters, 'security-group');
      return { groupId: add({ kind: 'security-group', region, tags, parameters }).id };
    },
    AuthorizeSecurityGroupIngress: () => ({ return: 'true' }),
    async RunInstances(parameters, region) {
      const groups = listOf(parameters, 'SecurityGroupId');
      for (const group of groups) find(group, 'security-group', 'InvalidGroup.NotFound');
      const diskTags = tagsOf(parameters, 'volume');
      const disk = add({ kind: 'volume', region, tags: diskTags, state: 'in-use' });
      const tags = tagsOf(parameters, 'instance');
      const own = { tags, groups, disks: [disk.id], parameters };
      const instance = add({ kind: 'instance', region, state: 'running', ...own });
      if (options.boot !== undefined) instance.address = await options.boot(instance);
      return { instancesSet: [describeInstance(instance)] };
    },
    TerminateInstances(parameters) {
      const instances = listOf(parameters, 'InstanceId').map((id) =>
        find(id, 'instance', 'InvalidInstanceID.NotFound'),
      );
      for (const instance of instances) {
        instance.state = 'shutting-down';
        if (!ending.has(instance.id)) ending.set(instance.id, endInstance(instance));
      }
      return { instancesSet: instances.map(describeInstance) };
    },
    DeleteVolume(parameters) {
      const { id, state } = find(parameters['VolumeId'] ?? '', 'volume', 'InvalidVolume.NotFound');
      if (state === 'in-use') throw new Refusal('VolumeInUse', `Volume ${id} is currently attached`);
      resources.delete(id);
      return { return: 'true' };
    },
    DeleteSecurityGroup(parameters) {
      const { id } = find(parameters['GroupId'] ?? '', 'security-group', 'InvalidGroup.NotFound');
      // The network interface of an instance that has just ended is still there.
      if (usersOf(id).length > 0 || lingering.delete(id)) {
        throw new Refusal('DependencyViolation', `resource ${id} has a dependent object`);
      }
      resources.delete(id);
      return { return: 'true' };
    },
    DeleteKeyPair(parameters) {
      resources.delete(find(parameters['KeyPairId'] ?? '', 'key-pair', 'InvalidKeyPair.NotFound').id);
      return { return: 'true' };
    },
  };

  const answer = async (body: string, authorization: string): Promise<Xml> => {
    const { Action: action = '', ...parameters } = Object.fromEntries(new URLSearchParams(body));
    const [, region] = /Credential=[^/]+\/\d+\/([^/]+)\/ec2\/aws4_request/.exec(authorization) ?? [];
    if (region === undefined)
      throw new Refusal('AuthFailure', 'AWS was not able to validate the credentials');
    calls.push(action);
    const refusal = options.refuse?.(action, parameters);
    if (refusal !== undefined) throw new Refusal(refusal.code, refusal.message);
    const handler = handlers[action];
    if (handler === undefined) throw new Refusal('InvalidAction', `The action ${action} is not valid`);
    return { [`${action}Response`]: await handler(parameters, region) };
  };

  const server = createServer((request, response) => {
    void text(request)
      .then((body) => answer(body, request.headers.authorization ?? ''))
      .then(
        (result) => ({ status: 200, result }),
        (error: unknown) => {
          const code = error instanceof Refusal ? error.code : 'InternalError';
          const Error = { Code: code, Message: (error as Error).message };
          return {
            status: code === 'InternalError' ? 500 : 400,
            result: { Response: { Errors: { Error } } },
          };
        },
      )
      .then(({ status, result }) => {
        response.writeHead(status, { 'content-type': 'text/xml' }).end(xmlOf(result, namespace));
      });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    /** What leads a client of AWS here. */
    env: {
      AWS_ENDPOINT_URL_EC2: `http://127.0.0.1:${String(port)}`,
      AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'stand-in',
    },
    /** Puts something there that nobody made by a request. */
    add,
    /** What there is, but for instances that have ended. */
    remaining: () => [...resources.values()].filter(({ state }) => state !== 'terminated'),
    /** The actions that were asked for, in order. */
    calls,
    /** A machine goes by itself, as when its time is over. */
    end: endInstance,
    async stop() {
      await Promise.all(ending.values());
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const prefixes = { instance: 'i', volume: 'vol', 'security-group': 'sg', 'key-pair': 'key' } as const;
const newId = (kind: Ec2Kind): string => `${prefixes[kind]}-0${randomBytes(8).toString('hex')}`;

const tagSet = (tags: Record<string, string>): Xml =>
  Object.entries(tags).map(([key, value]) => ({ key, value }));

const describeInstance = ({ id, state = '', tags, address }: Ec2Resource): Xml => ({
  instanceId: id,
  instanceState: { name: state },
  ...(address === undefined ? {} : { ipAddress: address, privateIpAddress: address }),
  tagSet: tagSet(tags),
});

/** `Name.1`, `Name.2`, … */
function listOf(parameters: Record<string, string>, name: string): string[] {
  const values: string[] = [];
  for (let value; (value = parameters[`${name}.${String(values.length + 1)}`]) !== undefined;)
    values.push(value);
  return values;
}

/** `TagSpecification.1.ResourceType`, `TagSpecification.1.Tag.1.Key`, … */
function tagsOf(parameters: Record<string, string>, kind: Ec2Kind): Record<string, string> {
  const tags: Record<string, string> = {};
  for (const [name, value] of Object.entries(parameters)) {
    const [, specification, tag] = /^TagSpecification\.(\d+)\.Tag\.(\d+)\.Key$/.exec(name) ?? [];
    if (specification === undefined || tag === undefined) continue;
    const prefix = `TagSpecification.${specification}`;
    if (parameters[`${prefix}.ResourceType`] !== kind) continue;
    tags[value] = parameters[`${prefix}.Tag.${tag}.Value`] ?? '';
  }
  return tags;
}

interface Filter {
  name: string;
  values: string[];
}

function filtersOf(parameters: Record<string, string>): Filter[] {
  const filters: Filter[] = [];
  for (let name; (name = parameters[`Filter.${String(filters.length + 1)}.Name`]) !== undefined;) {
    filters.push({ name, values: listOf(parameters, `Filter.${String(filters.length + 1)}.Value`) });
  }
  return filters;
}

const matches = ({ id, tags, parameters }: Ec2Resource, filters: readonly Filter[]): boolean =>
  filters.every(({ name, values }) => {
    if (name === 'tag-key') return values.some((key) => key in tags);
    if (name === 'instance-id' || name === 'group-id') return values.includes(id);
    if (name === 'key-name') return values.includes(parameters['KeyName'] ?? '');
    if (name.startsWith('tag:')) return values.includes(tags[name.slice('tag:'.length)] ?? '');
    throw new Refusal('InvalidParameterValue', `The filter '${name}' is invalid`);
  });
