import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { Checked } from './check.js';
import { unreachable } from './errors.js';
import { isUnknown, present, type Values } from './values.js';

const pingDeadlineMs = 10_000;
const protocols = ['unix:', 'tcp:', 'http:', 'ssh:'];
/** What the engine itself puts among a provider's inputs. */
const engineKeys = ['version', 'pluginDownloadURL'];

/** Checks the inputs of a provider resource: of the official one's there is `host`. */
export function checkConfig(news: Values): Checked {
  const failures: Checked['failures'] = [];
  const given = Object.keys(news).filter((key) => present(news[key]) !== undefined && !key.startsWith('__'));
  const unsupported = given.filter((key) => key !== 'host' && !engineKeys.includes(key));
  if (unsupported.length > 0) {
    failures.push({
      property: '',
      reason:
        `the embedded Docker provider does not support ${unsupported.sort().join(', ')}: it supports host; ` +
        'for the others install the official plugin (pulumi plugin install resource docker)',
    });
  }
  const host = present(news.host);
  if (host !== undefined && !isUnknown(host) && !isDockerHost(host)) {
    failures.push({
      property: 'host',
      reason:
        'must be the address of a Docker Engine: unix:///path, tcp://host:port, http://host:port or ssh://user@host',
    });
  }
  return { inputs: news, failures };
}

const isDockerHost = (host: unknown): boolean =>
  typeof host === 'string' && URL.canParse(host) && protocols.includes(new URL(host).protocol);

/**
 * Connects to the configured Docker Engine, else to the one that the `docker` command would talk to.
 * @throws Error naming the host and the remedy when nothing answers there. SSH hosts are asked by the first
 * operation only: signing in takes a while.
 */
export async function connect(config: Values): Promise<Docker> {
  // Loading the Docker client takes longer than all else: not before it is needed.
  const { connectDocker, resolveDockerHost } = await import('../docker.js');
  const host = typeof config.host === 'string' && config.host !== '' ? config.host : resolveDockerHost();
  const docker = connectDocker(host);
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
