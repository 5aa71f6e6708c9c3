import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { Agent } from 'node:http';
import { homedir, hostname, networkInterfaces } from 'node:os';
import path from 'node:path';
import Docker from 'dockerode';
import * as z from 'zod';

export const defaultDockerHost = 'unix:///var/run/docker.sock';

const dockerConfigSchema = z.object({ currentContext: z.string().optional() });
const contextMetaSchema = z.object({
  Endpoints: z.object({ docker: z.object({ Host: z.string().min(1) }) }),
});

/**
 * The Docker Engine that the `docker` command would talk to: `DOCKER_HOST`, else the context named by
 * `DOCKER_CONTEXT` or the Docker config's `currentContext`, else the default socket.
 * @throws Error naming the context when it is set but its metadata can't be read.
 */
export function resolveDockerHost(env: NodeJS.ProcessEnv = process.env): string {
  if (env.DOCKER_HOST) return env.DOCKER_HOST;
  const configFolder = env.DOCKER_CONFIG ?? path.join(homedir(), '.docker');
  const context = env.DOCKER_CONTEXT ?? currentContext(path.join(configFolder, 'config.json'));
  if (context === undefined || context === 'default') return defaultDockerHost;
  // The Docker CLI files each context under the SHA-256 of its name.
  const digest = createHash('sha256').update(context).digest('hex');
  const metaFile = path.join(configFolder, 'contexts', 'meta', digest, 'meta.json');
  try {
    return contextMetaSchema.parse(JSON.parse(readFileSync(metaFile, 'utf8'))).Endpoints.docker.Host;
  } catch (cause) {
    throw new Error(
      `Docker context "${context}" can't be read from ${metaFile}: choose another with "docker context use" or set DOCKER_HOST`,
      { cause },
    );
  }
}

function currentContext(configFile: string): string | undefined {
  if (!existsSync(configFile)) return undefined;
  try {
    return dockerConfigSchema.parse(JSON.parse(readFileSync(configFile, 'utf8'))).currentContext;
  } catch (cause) {
    throw new Error(`Docker's config file ${configFile} is not valid: mend it or set DOCKER_HOST`, { cause });
  }
}

/**
 * A client for `unix://`, `tcp://`, `http://` and `ssh://` addresses. Does not connect by itself.
 * @param agent makes its connections, by default Node's global one; those of ssh make themselves.
 */
export function connectDocker(host: string, agent?: Agent): Docker {
  const url = new URL(host);
  if (url.protocol === 'unix:') {
    // What is left out dockerode takes from DOCKER_HOST, and a host's name there wins over a socket here.
    return dockerAt({
      socketPath: host.slice('unix://'.length),
      host: undefined,
      protocol: 'http',
      agent,
    });
  }
  if (url.protocol === 'ssh:') {
    return new Docker({
      protocol: 'ssh',
      host: url.hostname,
      port: url.port === '' ? 22 : Number(url.port),
      ...(url.username === '' ? {} : { username: url.username }),
    });
  }
  return dockerAt({
    protocol: 'http',
    host: url.hostname,
    port: url.port === '' ? 2375 : Number(url.port),
    agent,
  });
}

/** Why no environment can come up on an engine, if it isn't of this machine. */
export function elsewhere(dockerHost: string): string | undefined {
  if (isHere(dockerHost)) return undefined;
  return (
    `${dockerHost} is on another machine, and containers publish their ports on that machine's loopback only: ` +
    'use a Docker Engine of this one, or rehearsal:host {kind: ssh, …}, which makes those ports reachable here'
  );
}

function isHere(dockerHost: string): boolean {
  // Who connects to it says what is wrong with an address that is none.
  const address = URL.canParse(dockerHost) ? new URL(dockerHost).hostname.toLowerCase() : '';
  if (dockerHost.startsWith('unix:') || address === '') return true;
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  // An IPv6 address has brackets in a URL.
  const name = address.replace(/^\[(.*)\]$/, '$1');
  const names = ['localhost', '0.0.0.0', hostname().toLowerCase(), ...own.map((each) => each.address)];
  return name.startsWith('127.') || names.includes(name);
}

/** The package's types leave the agent out. */
const dockerAt = (options: Docker.DockerOptions & { agent: Agent | undefined }): Docker =>
  new Docker(options);

/** Earlier engines take a running container's limit of processes without a word, and ignore it. */
const leastApi = { version: '1.40', engine: '19.03' };

/**
 * Why an engine is too old for this project, if it is.
 * @param answer to `GET /version`
 */
export function tooOld({ Version, ApiVersion }: { Version: string; ApiVersion: string }): string | undefined {
  const [major = 0, minor = 0] = ApiVersion.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = leastApi.version.split('.').map(Number);
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return undefined;
  return (
    `Docker Engine ${Version} is too old: it speaks API ${ApiVersion}, needed is ${leastApi.version} ` +
    `(Docker Engine ${leastApi.engine}) or newer; update it, or choose another with DOCKER_HOST or "docker context use"`
  );
}
