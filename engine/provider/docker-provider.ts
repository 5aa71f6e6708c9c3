import { checkConfig, connect, wording } from './config.js';
import { container } from './container.js';
import { network } from './network.js';
import type { Provider } from './provider.js';
import { remoteImage } from './remote-image.js';
import type { DockerClient } from './resource.js';
import { volume } from './volume.js';

export const dockerProvider: Provider<DockerClient> = {
  name: 'docker',
  /** Of `@pulumi/docker`, and of the official plugin, whose behaviour this provider follows. */
  version: '5.2.0',
  wording,
  types: new Map([
    ['docker:index/container:Container', container],
    ['docker:index/network:Network', network],
    ['docker:index/remoteImage:RemoteImage', remoteImage],
    ['docker:index/volume:Volume', volume],
  ]),
  functions: new Map(),
  settings: ['host'],
  checkConfig,
  connect: async (config) => ({ docker: await connect(config) }),
};
