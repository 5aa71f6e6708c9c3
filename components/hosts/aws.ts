import * as pulumi from '@pulumi/pulumi';
import type Docker from 'dockerode';
import { connectDocker, resolveDockerHost, tooOld } from '../../engine/docker.js';
import { runOnHost } from '../../engine/ssh/command.js';
import { forwardPort } from '../../engine/ssh/forwards.js';
import { describeTarget, dockerHostOfTunnel, tunnelFolderOfStack } from '../../engine/ssh/target.js';
import { ensureTunnel } from '../../engine/ssh/tunnel.js';
import { ConfigError, type EnvironmentSpec } from '../config.js';
import { hostProblems } from '../sizing.js';
import { reserveSubnet } from '../subnet.js';
import { awsLoginOf, writeAwsKey, type AwsLogin } from './aws-login.js';
import { sizeAwsHost } from './aws-sizing.js';
import { carryImages } from './carry-images.js';
import { loginUser } from './cloud-init.js';
import { Ec2Host } from './ec2.js';
import { waitForFirstBoot } from './first-boot.js';
import type { Host, MadeWith } from './host.js';
import { findRunnerAddress } from './runner-address.js';
import type { AwsHost } from './settings.js';

interface AwsHostArgs {
  settings: AwsHost;
  spec: EnvironmentSpec;
  stack: string;
  /** Where the settings come from, for errors. */
  source: string;
  /** Of an LLM outside, if there is one. */
  llmUrl?: string;
}

const mebibyte = 1024 * 1024;
/** Packages and images. */
const webPorts = [80, 443];

/**
 * Checks what can be known before anything is made.
 * @returns how to make the host with the environment.
 * @throws ConfigError; Error when this machine's address can't be found out.
 */
export async function awsHost(args: AwsHostArgs): Promise<(made: MadeWith) => Host> {
  const { settings, spec, source } = args;
  const sized = sizeAwsHost(spec, settings);
  if ('problems' in sized) throw new ConfigError(sized.problems, source);
  const { type, volumeGb } = sized.size;
  const runnerAddress = settings.runnerAddress ?? (await findRunnerAddress());

  return ({ parent, labels, expiresAt }) => {
    const machine = new Ec2Host(
      'host',
      {
        settings,
        instanceType: type.name,
        volumeGb,
        runnerAddress,
        egressPorts: [...new Set([...webPorts, ...portsOf(args.llmUrl)])],
        tags: labels,
        expiresAt,
      },
      { parent },
    );
    const folder = tunnelFolderOfStack(args.stack, process.env['PULUMI_BACKEND_URL'] ?? '');
    const login = pulumi
      .all([machine.address, machine.hostKey])
      .apply(([address, hostKey]) => awsLoginOf({ address, hostKey }, folder));
    const ready = pulumi.unsecret(
      pulumi.all([login, machine.privateKey]).apply(async ([known, privateKey]) => {
        if (!pulumi.runtime.isDryRun()) await prepare(known, privateKey, args, machine);
        return folder;
      }),
    );
    const dockerHost = ready.apply(dockerHostOfTunnel);
    return {
      dockerHost,
      reach: (port) => forwardPort(folder, port),
      target: login.apply(({ target }) => target),
      subnet: dockerHost.apply((host) => subnetOn(host, args.stack)),
      machine: machine.instance,
      outputs: pulumi.output({
        kind: 'aws' as const,
        region: settings.region,
        instanceId: machine.instanceId,
        instanceType: machine.instance.instanceType,
        address: machine.address,
        user: loginUser,
        hostKey: machine.hostKey,
        privateKey: machine.privateKey,
      }),
    };
  };
}

/** Everything that has to hold before the first container is made. */
async function prepare(
  login: AwsLogin,
  privateKey: string,
  { spec, source }: AwsHostArgs,
  machine: Ec2Host,
): Promise<void> {
  const tell = (text: string): Promise<void> => pulumi.log.info(text, machine, undefined, true);
  const { folder, target } = login;
  await writeAwsKey(login, privateKey);
  await tell('waiting for its first boot');
  await waitForFirstBoot({
    host: describeTarget(target),
    shell: (command) => runOnHost(folder, target, command),
  });
  await ensureTunnel(folder, target);
  const engine = connectDocker(dockerHostOfTunnel(folder));
  await checkEngine(engine, spec, source);
  await tell('carrying the images that only this machine has');
  const images = Object.values(spec.services).map(({ image }) => image);
  await carryImages(images, connectDocker(resolveDockerHost()), engine);
}

/** The table says what a type has; only the host itself knows. */
async function checkEngine(engine: Docker, spec: EnvironmentSpec, source: string): Promise<void> {
  const obstacle = tooOld(await engine.version());
  if (obstacle !== undefined) throw new Error(obstacle);
  const { MemTotal } = (await engine.info()) as { MemTotal: number };
  const problems = hostProblems(spec, MemTotal / mebibyte);
  if (problems.length > 0) throw new ConfigError(problems, source);
}

/** In a preview nobody is asked, and nothing depends on the answer: the network keeps its first subnet. */
const subnetOn = (dockerHost: string, stack: string): Promise<string> =>
  pulumi.runtime.isDryRun()
    ? Promise.resolve('10.213.0.0/27')
    : reserveSubnet(connectDocker(dockerHost), stack, false);

function portsOf(url: string | undefined): number[] {
  if (url === undefined) return [];
  const { port, protocol } = new URL(url);
  return [port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port)];
}
