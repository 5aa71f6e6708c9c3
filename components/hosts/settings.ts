import * as z from 'zod';
import { strict } from '../strict.js';

/** One line of a public host key as `ssh-keyscan` prints it, without the host's name before it. */
const hostKeySchema = z
  .string()
  .regex(
    /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,3}$/,
    "a public host key: its type and its base64, as in ssh-keyscan's output after the host's name",
  );

/** Any machine with a Docker Engine that `ssh` reaches. */
const sshHostSchema = strict({
  kind: z.literal('ssh'),
  /** Name or IP address. */
  address: z.string().regex(/^[A-Za-z0-9[\]:._-]+$/, 'a host name or an IP address'),
  port: z.int().min(1).max(65_535).default(22),
  user: z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, 'a user name'),
  /** The only key that the host may show. */
  hostKey: hostKeySchema,
  /** Path of a private key; the agent's keys by default. */
  identityFile: z.string().min(1).optional(),
});

export const regionSchema = z
  .string()
  .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'an AWS region, such as eu-central-1');

const architectures = ['x86_64', 'arm64'] as const;
export type Architecture = (typeof architectures)[number];

/** An EC2 instance made for the stack, and gone with it. */
const awsHostSchema = strict({
  kind: z.literal('aws'),
  region: regionSchema,
  /** The types to choose from; the whole table by default. */
  instanceTypes: z
    .array(z.string().regex(/^[a-z0-9-]+\.[a-z0-9-]+$/, 'an EC2 instance type'))
    .min(1)
    .optional(),
  /** The images have to be of the same. */
  architecture: z.enum(architectures).default('x86_64'),
  /** The fewest vCPUs; by default one per worker of the backend, and two at least. */
  vcpus: z.int().min(1).max(192).optional(),
  /** Of the root volume; by default for the images in this repository and the profile's data. */
  volumeGb: z.int().min(8).max(16_384).optional(),
  spot: z.boolean().default(false),
  /** Debian or Ubuntu with cloud-init; the latest official Debian 12 by default. */
  ami: z
    .string()
    .regex(/^ami-[0-9a-f]{8,17}$/, "an image's id, such as ami-0123456789abcdef0")
    .optional(),
  /** A subnet with a way to the internet; one of the default VPC by default. */
  subnetId: z
    .string()
    .regex(/^subnet-[0-9a-f]{8,17}$/, "a subnet's id, such as subnet-0123456789abcdef0")
    .optional(),
  /** The only address that may connect: this machine's, as the internet sees it. Asked for by default. */
  runnerAddress: z.ipv4({ error: 'an IPv4 address' }).optional(),
});

/** Where the environment runs: `rehearsal:host`. */
export const hostSchema = z.discriminatedUnion('kind', [
  strict({ kind: z.literal('local') }),
  sshHostSchema,
  awsHostSchema,
]);
export type HostSettings = z.infer<typeof hostSchema>;
export type SshHost = z.infer<typeof sshHostSchema>;
export type AwsHost = z.infer<typeof awsHostSchema>;
