import * as pulumi from '@pulumi/pulumi';
import * as z from 'zod';
import { connectDocker, tooOld } from '../engine/docker.js';
import {
  ConfigError,
  configNamespace,
  parseConfig,
  resolveEnvironment,
  type EnvironmentSpec,
  type StackConfig,
} from './config.js';
import { TestEnvironment, type TestEnvironmentArgs } from './environment.js';
import { accessTo } from './hosts/access.js';
import type { Host } from './hosts/host.js';
import type { HostSettings } from './hosts/settings.js';
import { hostProblems } from './sizing.js';
import { reserveSubnet } from './subnet.js';

const mebibyte = 1024 * 1024;

/**
 * The Pulumi program: checks the stack's configuration, its budget and its host, and only then builds the
 * environment. Returns the stack's outputs, in the shape of `outputsSchema`.
 * @param mayStart containers are made once it resolves: what takes no memory may be there before there is any.
 */
export async function program(
  mayStart: Promise<unknown> = Promise.resolve(),
): Promise<TestEnvironment['outputs']> {
  const stack = pulumi.getStack();
  const source = `the configuration of stack ${stack}`;
  const secretKeys = decryptedKeys();
  const config = parseConfig(pulumi.runtime.allConfig(), source, secretKeys);
  const spec = resolveEnvironment(config, source, secretKeys.includes('services'));
  const host = await hostOf(config, spec, stack, source);

  const { id, ...labels } = config.run ?? { id: stack, suite: 'none', branch: 'none', owner: 'none' };
  const apiKey = new pulumi.Config().getSecret('llmApiKey') ?? pulumi.secret('');
  const environment = new TestEnvironment('environment', {
    spec,
    host,
    labels: { run: id, stack, ...labels },
    ttlMinutes: config.ttlMinutes,
    mayStart,
    ...(config.llm === undefined ? {} : { llm: { ...config.llm, apiKey } }),
  });
  return environment.outputs;
}

/** Keys, without our namespace, whose values have a secret in them. The SDK knows them, but only for itself. */
function decryptedKeys(): string[] {
  const keys = z.array(z.string()).parse(JSON.parse(process.env['PULUMI_CONFIG_SECRET_KEYS'] || '[]'));
  return keys.map((key) => key.replace(`${configNamespace}:`, ''));
}

async function hostOf(
  { host, llm }: StackConfig,
  spec: EnvironmentSpec,
  stack: string,
  source: string,
): Promise<TestEnvironmentArgs['host']> {
  if (host.kind !== 'aws') return hostThatIsThere(host, spec, stack, source);
  // What it takes of the AWS provider's package needn't be loaded for other hosts.
  const { awsHost } = await import('./hosts/aws.js');
  return awsHost({
    settings: host,
    spec,
    stack,
    source,
    ...(llm === undefined ? {} : { llmUrl: llm.baseUrl }),
  });
}

async function hostThatIsThere(
  settings: Exclude<HostSettings, { kind: 'aws' }>,
  spec: EnvironmentSpec,
  stack: string,
  source: string,
): Promise<Host> {
  const { dockerHost, reach, target } = await accessTo(settings);
  const problems = hostProblems(spec, await hostMemoryMb(dockerHost));
  if (problems.length > 0) throw new ConfigError(problems, source);
  return {
    dockerHost,
    reach,
    ...(target === undefined ? {} : { target }),
    subnet: await reserveSubnet(connectDocker(dockerHost), stack, target === undefined),
    outputs: { kind: settings.kind },
  };
}

async function hostMemoryMb(dockerHost: string): Promise<number> {
  const engine = connectDocker(dockerHost);
  const [version, { MemTotal }] = await Promise.all([
    engine.version(),
    engine.info() as Promise<{ MemTotal: number }>,
  ]).catch((cause: unknown) => {
    throw new Error(
      `no Docker Engine answers at ${dockerHost}: start it, or choose another with DOCKER_HOST or "docker context use" ` +
        '("npm run doctor" shows the state of every piece)',
      { cause },
    );
  });
  const obstacle = tooOld(version);
  if (obstacle !== undefined) throw new Error(obstacle);
  return MemTotal / mebibyte;
}
