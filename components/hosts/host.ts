import type * as pulumi from '@pulumi/pulumi';
import type { SshTarget } from '../../engine/ssh/target.js';
import type { Outputs } from '../outputs.js';

/** Where the containers of an environment run. */
export interface Host {
  /** Address of its Docker Engine, known once that answers. */
  dockerHost: pulumi.Input<string>;
  /** From a port that a container publishes to the one that leads there from here. */
  reach: (port: number) => Promise<number>;
  /** How to log in; absent when it is this machine. */
  target?: pulumi.Input<SshTarget>;
  /** For the environment's network, as CIDR; counts on the first `up` only. */
  subnet: pulumi.Input<string>;
  /** Made with the environment: whatever is on it is gone with it. */
  machine?: pulumi.Resource;
  outputs: pulumi.Input<Outputs['host']>;
}

/** What a host that is made with the environment is told of it. */
export interface MadeWith {
  parent: pulumi.Resource;
  labels: pulumi.Input<Record<string, string>>;
  /** ISO 8601, UTC. */
  expiresAt: pulumi.Output<string>;
}
