import { Agent, type ClientRequest, type ClientRequestArgs } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import type Docker from 'dockerode';
import { unsupportedProblem, type Checked, type Wording } from './check.js';
import { unreachable } from './errors.js';
import { isUnknown, present, type Values } from './values.js';

export const wording: Wording = {
  title: 'the embedded Docker provider',
  remedy: 'install the official plugin (pulumi plugin install resource docker)',
};

const pingDeadlineMs = 10_000;
const protocols = ['unix:', 'tcp:', 'http:', 'ssh:'];
/** What the engine itself puts among a provider's inputs. */
const engineKeys = ['version', 'pluginDownloadURL'];

/** Checks the inputs of a provider resource: of the official one's there is `host`. */
export function checkConfig(news: Values): Checked {
  const given = Object.keys(news).filter((key) => present(news[key]) !== undefined && !key.startsWith('__'));
  const unsupported = given.filter((key) => key !== 'host' && !engineKeys.includes(key));
  const problems = unsupported.length > 0 ? [unsupportedProblem(unsupported, wording)] : [];
  const host = present(news.host);
  if (host !== undefined && !isUnknown(host) && !isDockerHost(host)) {
    problems.push(
      'host must be the address of a Docker Engine (unix:///path, tcp://host:port, http://host:port or ' +
        `ssh://user@host), not ${JSON.stringify(host)}`,
    );
  }
  return { inputs: news, problems };
}

const isDockerHost = (host: unknown): boolean =>
  typeof host === 'string' && URL.canParse(host) && protocols.includes(new URL(host).protocol);

/**
 * With it an engine that was reached and never answers keeps no process that has nothing else to do. Idle connections
 * are closed as soon as those of Node's own agent.
 */
class UnreferencedAgent extends Agent {
  constructor() {
    super({ keepAlive: true, timeout: 5_000 });
  }

  override createConnection(options: ClientRequestArgs): Socket {
    const socket = super.createConnection(options) as Socket;
    // Of a host with two addresses it may be the second one, by another handle.
    return socket.once('connect', () => socket.unref()).unref();
  }

  /** Node itself references a connection again for its next request. */
  override reuseSocket(socket: Socket, request: ClientRequest): void {
    super.reuseSocket(socket, request);
    socket.unref();
  }

  /** dockerode makes a text of each request with all that belongs to it, for a log that nobody reads. */
  [inspect.custom](): string {
    return UnreferencedAgent.name;
  }
}

/**
 * Connects to the configured Docker Engine, else to the one that the `docker` command would talk to.
 * @throws Error naming the host and the remedy when nothing answers there. SSH hosts are asked by the first
 * operation only: signing in takes a while.
 */
export async function connect(config: Values): Promise<Docker> {
  // Loading the Docker client takes longer than all else: not before it is needed.
  const { connectDocker, resolveDockerHost } = await import('../docker.js');
  const host = typeof config.host === 'string' && config.host !== '' ? config.host : resolveDockerHost();
  const docker = connectDocker(host, new UnreferencedAgent());
  if (new URL(host).protocol === 'ssh:') return docker;
  try {
    await Promise.race([docker.ping(), silence()]);
  } catch (cause) {
    throw unreachable(host, cause);
  }
  return docker;
}

async function silence(): Promise<never> {
  await sleep(pingDeadlineMs, undefined, { ref: false });
  throw new Error(`no answer within ${pingDeadlineMs / 1000} s`);
}
