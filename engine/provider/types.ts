import { officialRemedy } from './check.js';
import { container } from './container.js';
import { network } from './network.js';
import { remoteImage } from './remote-image.js';
import type { ResourceType } from './resource.js';
import { volume } from './volume.js';

/** The version of `@pulumi/docker`, and of the official plugin, whose behaviour this provider follows. */
export const providerVersion = '5.2.0';

const types = new Map<string, ResourceType>([
  ['docker:index/container:Container', container],
  ['docker:index/network:Network', network],
  ['docker:index/remoteImage:RemoteImage', remoteImage],
  ['docker:index/volume:Volume', volume],
]);

/** The type, resource type token `docker:index/network:Network`, of a URN `urn:pulumi:stack::project::type::name`. */
export function resourceType(urn: string): ResourceType {
  // The types of the parents come before, joined by $.
  const token = urn.split('::')[2]?.split('$').at(-1) ?? '';
  const found = types.get(token);
  if (found === undefined) {
    throw new Error(
      `the embedded Docker provider has no resource type ${token}: it has ${[...types.keys()].join(', ')}; ` +
        `for others ${officialRemedy}`,
    );
  }
  return found;
}

export const resourceName = (urn: string): string => urn.split('::').slice(3).join('::');
