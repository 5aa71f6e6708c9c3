import { Instance } from '@pulumi/aws/ec2/instance.js';
import { KeyPair } from '@pulumi/aws/ec2/keyPair.js';
import { SecurityGroup } from '@pulumi/aws/ec2/securityGroup.js';
import { getSubnetOutput } from '@pulumi/aws/ec2/getSubnet.js';
import { Provider } from '@pulumi/aws/provider.js';
import { getParameterOutput } from '@pulumi/aws/ssm/getParameter.js';
import type { types } from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { cloudInit, loginUser } from './cloud-init.js';
import { HostKeys } from './host-keys.js';
import type { AwsHost } from './settings.js';

export interface Ec2HostArgs {
  settings: AwsHost;
  instanceType: string;
  volumeGb: number;
  /** IPv4: nobody else may connect. */
  runnerAddress: string;
  /** Ports anywhere that the host may connect to. */
  egressPorts: readonly number[];
  /** For everything that costs money or stays behind. */
  tags: pulumi.Input<Record<string, string>>;
  /** ISO 8601, UTC: then the host ends by itself. */
  expiresAt: pulumi.Input<string>;
}

const sshPort = 22;
/** Debian's own images, by the public parameter that always names the latest. */
const debianParameter = {
  x86_64: '/aws/service/debian/release/12/latest/amd64',
  arm64: '/aws/service/debian/release/12/latest/arm64',
} as const;

/** An EC2 instance made for one stack: it ends with the stack, or by itself when its time is over. */
export class Ec2Host extends pulumi.ComponentResource {
  /** Whatever is on the host is deleted with it. */
  readonly instance: Instance;
  readonly instanceId: pulumi.Output<string>;
  /** IPv4, public. */
  readonly address: pulumi.Output<string>;
  readonly user = loginUser;
  /** The only key that the host shows. */
  readonly hostKey: pulumi.Output<string>;
  /** Opens the host: secret. */
  readonly privateKey: pulumi.Output<string>;

  constructor(name: string, args: Ec2HostArgs, options: pulumi.ComponentResourceOptions = {}) {
    super('rehearsal:hosts:Ec2Host', name, {}, options);
    const { settings, tags } = args;
    const provider = new Provider(`${name}-aws`, { region: settings.region }, { parent: this });
    const parent = { parent: this, provider };

    const keys = new HostKeys(`${name}-keys`, { parent: this });
    const keyPair = new KeyPair(`${name}-key`, { publicKey: keys.userPublicKey, tags }, parent);
    const group = new SecurityGroup(
      `${name}-group`,
      {
        description: 'A rehearsal host: ssh from its runner only',
        ...(settings.subnetId === undefined
          ? {}
          : { vpcId: getSubnetOutput({ id: settings.subnetId }, parent).vpcId }),
        ingress: [rule(sshPort, `${args.runnerAddress}/32`, 'ssh from the runner')],
        egress: args.egressPorts.map((port) => rule(port, '0.0.0.0/0', 'packages, images and the LLM')),
        tags,
      },
      parent,
    );
    this.instance = new Instance(
      `${name}-instance`,
      {
        ami: settings.ami ?? latestDebian(settings, parent),
        instanceType: args.instanceType,
        ...(settings.subnetId === undefined ? {} : { subnetId: settings.subnetId }),
        associatePublicIpAddress: true,
        vpcSecurityGroupIds: [group.id],
        keyName: keyPair.keyName,
        userData: pulumi.secret(
          pulumi
            .all([keys.hostPrivateKey, keys.hostPublicKey, args.expiresAt])
            .apply(([hostPrivateKey, hostPublicKey, expiresAt]) =>
              cloudInit({ hostPrivateKey, hostPublicKey, expiresAt }),
            ),
        ),
        // With one hop, containers can't reach the metadata: there are keys in it.
        metadataOptions: { httpEndpoint: 'enabled', httpTokens: 'required', httpPutResponseHopLimit: 1 },
        rootBlockDevice: {
          volumeType: 'gp3',
          volumeSize: args.volumeGb,
          encrypted: true,
          deleteOnTermination: true,
        },
        instanceInitiatedShutdownBehavior: 'terminate',
        ...(settings.spot ? { instanceMarketOptions: spotOptions } : {}),
        tags,
        volumeTags: tags,
      },
      {
        ...parent,
        additionalSecretOutputs: ['userData'],
        // A host is never changed under its containers, nor replaced: `down` and `up` make another.
        ignoreChanges: [
          ...['ami', 'instanceType', 'userData', 'subnetId', 'rootBlockDevice', 'instanceMarketOptions'],
        ],
      },
    );
    this.instanceId = this.instance.id;
    this.address = this.instance.publicIp;
    this.hostKey = keys.hostPublicKey;
    this.privateKey = keys.userPrivateKey;
    this.registerOutputs({ instanceId: this.instanceId, address: this.address });
  }
}

const spotOptions: types.input.ec2.InstanceInstanceMarketOptions = {
  marketType: 'spot',
  spotOptions: { spotInstanceType: 'one-time', instanceInterruptionBehavior: 'terminate' },
};

function rule(
  port: number,
  cidr: string,
  description: string,
): types.input.ec2.SecurityGroupIngress & types.input.ec2.SecurityGroupEgress {
  return { protocol: 'tcp', fromPort: port, toPort: port, cidrBlocks: [cidr], description };
}

function latestDebian({ architecture }: AwsHost, options: pulumi.InvokeOutputOptions): pulumi.Output<string> {
  // The id of a public image is no secret, which `value` would be.
  return getParameterOutput({ name: debianParameter[architecture] }, options).insecureValue;
}
