import type * as pulumi from '@pulumi/pulumi';
import type { Outputs } from '../outputs.js';

/** Where the containers of an environment run. */
export interface Host {
  /** Address of its Docker Engine, known once that answers. */
  dockerHost: pulumi.Input<string>;
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
