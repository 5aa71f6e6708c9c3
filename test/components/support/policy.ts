/** A resource as the program registered it. */
export interface Registered {
  type: string;
  name: string;
  inputs: Record<string, unknown>;
}

/** What keeps an instance safe and its cost bounded, and how each is spelled. */
interface InstanceInputs {
  metadataOptions?: { httpTokens?: string; httpPutResponseHopLimit?: number };
  rootBlockDevice?: { encrypted?: boolean };
  instanceInitiatedShutdownBehavior?: string;
  userData?: string;
  tags?: Record<string, string>;
  volumeTags?: Record<string, string>;
}

interface Rule {
  cidrBlocks?: string[];
  ipv6CidrBlocks?: string[];
}

const world = ['0.0.0.0/0', '::/0'];
/** What `gc` finds leftovers by, and people their owner. */
const neededTags = ['run', 'suite', 'branch', 'owner', 'stack', 'expires-at'].map(
  (key) => `rehearsal.${key}`,
);
const tagged = [
  'aws:ec2/instance:Instance',
  'aws:ec2/keyPair:KeyPair',
  'aws:ec2/securityGroup:SecurityGroup',
];

/** What no stack may have on AWS, in words. */
export function violations(resources: readonly Registered[]): string[] {
  return resources.flatMap(({ type, name, inputs }) => {
    const found: string[] = [];
    if (type === 'aws:ec2/securityGroup:SecurityGroup') found.push(...openToTheWorld(inputs));
    if (type === 'aws:ec2/instance:Instance') found.push(...instanceViolations(inputs));
    if (tagged.includes(type)) found.push(...missing(inputs['tags'], 'tags'));
    return found.map((what) => `${name}: ${what}`);
  });
}

function openToTheWorld(inputs: Record<string, unknown>): string[] {
  const rules = (inputs['ingress'] ?? []) as Rule[];
  const sources = rules.flatMap(({ cidrBlocks = [], ipv6CidrBlocks = [] }) => [
    ...cidrBlocks,
    ...ipv6CidrBlocks,
  ]);
  return sources.filter((source) => world.includes(source)).map((source) => `open to ${source}`);
}

function instanceViolations(inputs: InstanceInputs): string[] {
  const { metadataOptions, rootBlockDevice, userData = '' } = inputs;
  return [
    ...(metadataOptions?.httpTokens === 'required' ? [] : ['IMDSv1']),
    ...(metadataOptions?.httpPutResponseHopLimit === 1 ? [] : ['metadata within reach of containers']),
    ...(rootBlockDevice?.encrypted === true ? [] : ['unencrypted disk']),
    ...(inputs.instanceInitiatedShutdownBehavior === 'terminate' ? [] : ['outlives its shutdown']),
    ...(userData.includes('/etc/rehearsal/expires-at') && userData.includes('rehearsal-expiry.timer')
      ? []
      : ['no shutdown timer']),
    ...missing(inputs.volumeTags, 'volumeTags'),
  ];
}

function missing(tags: unknown, where: string): string[] {
  const present = Object.keys(tags ?? {});
  return neededTags.filter((tag) => !present.includes(tag)).map((tag) => `no ${tag} in ${where}`);
}
